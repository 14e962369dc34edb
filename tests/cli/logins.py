"""What the tests of logging in share: a browser, the person in front of it, and ways to log in at the stand-in."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from cli.login.flows import Ways
from cli.login.http import get, send
from cli.ui.asking import SaidYes
from standin import StandIn
from tests.builders import Clock

ADDRESS = re.compile(r"https?://\S+/oauth/authorize\?\S+")


@dataclass
class Browser:
    """Opens an address, follows where it leads by hand, and remembers both."""

    opened: list[str] = field(default_factory=list)
    led_to: list[str] = field(default_factory=list)

    def sign_in(self, url: str) -> str:
        """Where the provider sends the browser after a login."""
        self.opened.append(url)
        self.led_to.append(httpx.get(url, trust_env=False, timeout=10).headers["location"])
        return self.led_to[-1]

    def __call__(self, url: str) -> bool:
        """The whole way, back to the program that waits."""
        return httpx.get(self.sign_in(url), trust_env=False, timeout=10).status_code == 200

    def asked_for(self) -> list[str | None]:
        """The workspace that each opened address names."""
        return [parse_qs(urlsplit(url).query).get("allowed_workspace_id", [None])[0] for url in self.opened]


@dataclass
class Pasting(SaidYes):
    """What is piped in: the address that somebody's browser ended at."""

    browser: Browser
    said: list[str]

    def line(self, question: str, option: str) -> str:
        found = ADDRESS.findall("\n".join(self.said))
        return self.browser.sign_in(found[-1])


@dataclass
class Person(Pasting):
    """Somebody at the terminal, who types these lines; PASTE is the address that their browser ends at."""

    typed: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    there = True

    PASTE = "the address"

    def answer(self, question: str) -> str:
        self.asked.append(question)
        typed = self.typed.pop(0)
        return self.line(question, "") if typed == self.PASTE else typed


def issuer_of(upstream: StandIn) -> str:
    return upstream.token_url.removesuffix("/oauth/token")


def lead_to(upstream: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the commands of this process log in at the stand-in."""
    monkeypatch.setenv("CODEX_APP_SERVER_LOGIN_ISSUER", issuer_of(upstream))
    monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", upstream.base_url)
    monkeypatch.delenv("CODEX_REVOKE_TOKEN_URL_OVERRIDE", raising=False)


def ways_to(upstream: StandIn, browser: Browser, said: list[str], clock: Clock, **changes: Any) -> Ways:
    """No fixed port, no real waiting: what passes is the test's own time."""
    issuer = issuer_of(upstream)
    values: dict[str, Any] = {
        "issuer": issuer,
        "revoke_url": f"{issuer}/oauth/revoke",
        "check_url": f"{upstream.base_url}/wham/accounts/check",
        "send": send,
        "get": get,
        "say": said.append,
        "open_page": browser,
        "wait": clock.advance,
        "clock": clock,
        "ports": (0,),
        "patience": 10.0,
    }
    return Ways(**{**values, **changes})


def secrets_seen(upstream: StandIn, browser: Browser) -> set[str]:
    """Every code and verifier that was on the wire."""
    found = {value for url in browser.led_to for value in parse_qs(urlsplit(url).query)["code"]}
    for seen in upstream.requests_to("/oauth/token"):
        form = dict(parse_qsl(seen.body.decode()))
        found |= {form[name] for name in ("code", "code_verifier") if name in form}
    return found


def refusal_of(upstream: StandIn, refresh_token: str) -> str:
    """Why the provider no longer takes a refresh token, "" if it does (and it is used up by this)."""
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    answer = httpx.post(upstream.token_url, json=body, trust_env=False, timeout=10)
    return "" if answer.status_code == 200 else str(answer.json()["error"]["code"])
