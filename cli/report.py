"""``crossfade report``: the page of a test client's own file, without any deployment."""

from dataclasses import asdict
from pathlib import Path

import click

from crossfade.domain.ledger import Request
from crossfade.domain.page.of_client import client_page
from probe.textfile import read


def write_page(file: Path, page: Path) -> None:
    """Write the page of a client's file.

    Raises
    ------
    ValueError
        A line is not one of the client's.
    OSError
        The file cannot be read, or the page not be written.
    """
    requests = (Request.model_validate({"type": record.type, **asdict(record)}) for record in read(file))
    page.write_text(client_page(file.name, requests), encoding="utf-8")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page.  [FILE with .html for its ending]",
)
def report(file: Path, out: Path | None) -> None:
    """Draw up the page of FILE, which a test client (python -m probe) has written.

    Nothing in AWS is asked. The page is one file that a browser opens without a network.
    """
    page = out or file.with_suffix(".html")
    if page.resolve() == file.resolve():
        raise click.UsageError(f"The page would take the place of {file}: name another file by --out.")
    try:
        write_page(file, page)
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(page)
