"""How the model of AWS refuses a request."""

from typing import Any


class AwsError(Exception):
    """An error answer: its code as the service's model names it, and its HTTP status."""

    def __init__(self, code: str, message: str = "", status: int = 400, **more: Any) -> None:
        super().__init__(code, message)
        self.response: dict[str, Any] = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
            **more,
        }
