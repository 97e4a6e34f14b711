"""The three pages of the application."""

import html

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

HEALTH_PATH = "/healthz"


def pages(version: str, task: str) -> Starlette:
    """Return the application without faults: /, /version and /healthz."""

    async def front(_: Request) -> Response:
        shown = html.escape(version)
        return HTMLResponse(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Sample application</title>"
            f"<h1>Version {shown}</h1><p>Served by task {html.escape(task)}.</p></html>"
        )

    async def show_version(_: Request) -> Response:
        return JSONResponse({"version": version, "task": task})

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route("/", front), Route("/version", show_version), Route(HEALTH_PATH, health)],
    )
