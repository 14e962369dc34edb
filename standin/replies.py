"""Whole answers: a status, headers and a body, and the shapes OpenAI's errors come in."""

import json
from dataclasses import dataclass
from typing import Any

from standin.records import Headers


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is sent in one piece."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def error(self) -> dict[str, Any]:
        """The `error` object of the body, made up from `detail` or the status where there is none."""
        try:
            content = json.loads(self.body)
        except ValueError:
            content = {}
        match content:
            case {"error": dict(error)}:
                return error
            case {"detail": {"code": str(code)}}:
                return {"type": code, "code": code, "message": code}
            case {"detail": str(detail)}:
                return {"type": "invalid_request_error", "code": None, "message": detail}
        return {"type": "error", "code": None, "message": f"status {self.status}"}

    def in_band(self) -> dict[str, Any]:
        """The same refusal as a WebSocket message, docs/codex-wire.md section 1.2."""
        wrapped: dict[str, Any] = {"type": "error", "status": self.status, "error": self.error()}
        headers = {name: value for name, value in self.headers if name != "content-type"}
        return wrapped | ({"headers": headers} if headers else {})


def json_reply(content: object, status: int = 200, headers: Headers = ()) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, (("content-type", "application/json"), *headers), json.dumps(content).encode())


def error_reply(status: int, code: str | None, message: str, **more: Any) -> Reply:
    """An error in the shape of OpenAI's: `{"error": {"type", "code", "message", ...}}`, `more` added or overriding."""
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None} | more
    return json_reply({"error": error}, status)


EMPTY_OBJECT = json_reply({})
NOT_FOUND = error_reply(404, "not_found", "The stand-in has nothing at this path.")
EXPIRED = error_reply(401, "token_expired", "Provided authentication token is expired. Please try signing in again.")
INVALIDATED = error_reply(
    401, "token_invalidated", "Your authentication token has been invalidated. Please try signing in again."
)
UNKNOWN_TOKEN = error_reply(
    401, "invalid_jwt", "Could not parse your authentication token. Please try signing in again."
)
NO_TOKEN = error_reply(401, "missing_token", "Missing bearer authentication in header.")
FOREIGN_ACCOUNT = error_reply(
    403, "account_mismatch", "The token does not belong to the account in chatgpt-account-id."
)
