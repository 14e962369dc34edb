"""A request that is the client's own, and what every exchange has in common with it."""

from mitmproxy import http

from addons import answers, credentials, redact
from addons.steps import Answer, Loss, Send, Signal, Step


class Own:
    """A request that is the client's own: sent once, unchanged, delivered as it comes."""

    def __init__(self, flow: http.HTTPFlow, shown: redact.Shown) -> None:
        self.flow = flow
        self.shown = shown
        self.step: Step | None = None
        self._cookies: redact.Shown | None = None

    def streaming(self) -> None: ...

    def start(self) -> Step:
        return Send(credentials.own(self.flow.request, self.shown), key="")

    def head(self, response: http.Response) -> Step:
        return Signal.DELIVER

    def body(self, data: bytes) -> Step:
        return Signal.DELIVER

    def end(self) -> Step:
        return Signal.DELIVER

    def lost(self, loss: Loss, message: str) -> Step:
        return Signal.DELIVER

    def patience(self) -> float:
        return 0

    def overdue(self) -> Step:
        return Signal.WAIT

    def delivering(self, response: http.Response) -> None:
        if self.shown.redacted:
            self._cookies = redact.hide(response.headers, redact.RESPONSE)

    def reveal(self, response: http.Response) -> http.Response:
        if self._cookies is None or not self._cookies.secrets:
            return response
        data = response.data
        headers = self._cookies.reveal(response.headers)
        # the body follows in events of its own
        return http.Response(
            data.http_version, data.status_code, data.reason, headers, None, None, data.timestamp_start, None
        )

    def gone(self) -> None: ...

    def broke(self, message: str) -> None: ...

    def finished(self) -> None: ...

    async def think(self) -> Step:
        return Answer(answers.failed_closed())
