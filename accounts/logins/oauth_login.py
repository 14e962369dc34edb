"""A new login, as values: which address to open, what to post, what the answers mean. No I/O, no clock.

docs/codex-wire.md section 5. The official client also asks for an API key after a login; the pool has no use for one.
"""

import base64
import hashlib
import hmac
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlencode

from accounts.choice.outcomes import WORD
from accounts.errors import BadCallback, DeviceLoginOff, LoginRefused, LoginTimedOut, WrongWorkspace
from accounts.logins.auth_file import Login, fits_a_header, login_of
from accounts.model import Credentials
from accounts.tokens.claims import read_claims
from accounts.tokens.oauth import CLIENT_ID
from config.provider import PROVIDER

SCOPES: Final = "openid profile email offline_access api.connectors.read api.connectors.invoke"
ORIGINATOR: Final = "codex_cli_rs"
PORTS: Final = (1455, 1457)
"""The only ports the provider sends a browser back to."""
BROWSER_SECONDS: Final = 300.0
DEVICE_SECONDS: Final = 900.0
DEVICE_REDIRECT: Final = f"{PROVIDER.issuer}/deviceauth/callback"

_INTERVAL: Final = 5.0
_LONGEST_INTERVAL: Final = 60.0
_PENDING: Final = frozenset({403, 404})
_FINAL_WORDS: Final = frozenset({"access_denied", "expired_token"})
_USER_CODE: Final = re.compile(r"[A-Za-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request to the provider: a form or JSON, to be sent after so many seconds."""

    url: str
    body: Mapping[str, str] = field(repr=False)
    form: bool = False
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What came back. Status 0: nothing did."""

    status: int
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """The two secrets of one login: the verifier never leaves but with the code, the state comes back with it."""

    verifier: str = field(repr=False)
    state: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """What the provider keeps of the verifier (PKCE, S256)."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What can be traded for tokens, once."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A device login that has begun. `user_code` is what the person types, `interval` is in seconds."""

    device_id: str = field(repr=False)
    user_code: str
    interval: float


# --- where -----------------------------------------------------------------------------------------------------------


def issuer(environ: Mapping[str, str] = os.environ) -> str:
    """Who logs people in; the official client's own variable redirects us as well."""
    return (environ.get("CODEX_APP_SERVER_LOGIN_ISSUER") or PROVIDER.issuer).rstrip("/")


def revoke_url(environ: Mapping[str, str] = os.environ) -> str:
    """Where a login is ended; again by the official client's own variable."""
    return environ.get("CODEX_REVOKE_TOKEN_URL_OVERRIDE") or f"{issuer(environ)}/oauth/revoke"


def redirect_uri(port: int) -> str:
    """Where the browser comes back to."""
    return f"http://127.0.0.1:{port}/auth/callback"


# --- in a browser ----------------------------------------------------------------------------------------------------


def new_attempt(random: Callable[[int], bytes] = secrets.token_bytes) -> LoginAttempt:
    """Fresh secrets, as long as the official client's."""
    return LoginAttempt(verifier=_base64url(random(64)), state=_base64url(random(32)))


def authorize_url(place: str, attempt: LoginAttempt, back_to: str, workspace: str | None = None) -> str:
    """The address to open. Of the secrets it holds the state and the challenge only."""
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": back_to,
        "scope": SCOPES,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": attempt.state,
        "originator": ORIGINATOR,
    }
    if workspace:
        asked["allowed_workspace_id"] = workspace
    return f"{place}/oauth/authorize?{urlencode(asked, quote_via=quote)}"


def read_callback(query: str, state: str) -> str:
    """The code in the query the browser came back with.

    Raises BadCallback when it does not answer this login, and LoginRefused when it does and says no.
    """
    asked = parse_qs(query)
    if not hmac.compare_digest(_only(asked, "state").encode(), state.encode()):
        raise BadCallback("its state is another login's")
    if "error" in asked:
        raise LoginRefused(_as_word(_only(asked, "error")))
    code = _only(asked, "code")
    if not code:
        raise BadCallback("it has no code")
    return code


def read_pasted(text: str, state: str) -> str:
    """The code in what a person pasted: the whole address the browser ended at, or `code#state`."""
    joined = "".join(text.split())  # a terminal may have broken the line
    if "?" in joined:
        return read_callback(joined.partition("?")[2].partition("#")[0], state)
    code, _, given = joined.partition("#")
    if not code or "/" in code:
        raise BadCallback("it has no code")
    return read_callback(urlencode({"code": code, "state": given}), state)


# --- with another device ---------------------------------------------------------------------------------------------


def device_page(place: str) -> str:
    """Where the person types the code."""
    return f"{place}/codex/device"


def usercode_post(place: str) -> Post:
    """Begins a device login."""
    return Post(url=f"{place}/api/accounts/deviceauth/usercode", body={"client_id": CLIENT_ID})


def read_usercode(answer: CallbackAnswer) -> DeviceCode:
    """The code to show. Raises DeviceLoginOff where the provider has no such login, else LoginRefused."""
    if answer.status == 404:
        raise DeviceLoginOff
    payload = _payload(answer)
    device_id = _text(payload, "device_auth_id")
    user_code = _text(payload, "user_code") or _text(payload, "usercode")
    if answer.status != 200 or not device_id or not _USER_CODE.fullmatch(user_code):
        raise LoginRefused(_trouble(answer, payload))
    return DeviceCode(device_id=device_id, user_code=user_code, interval=_interval(payload.get("interval")))


def device_flow(place: str, device: DeviceCode, clock: Callable[[], float]) -> Generator[Post, CallbackAnswer, Grant]:
    """Asks until the person has typed the code. Raises LoginTimedOut, or LoginRefused."""
    url = f"{place}/api/accounts/deviceauth/token"
    body = {"device_auth_id": device.device_id, "user_code": device.user_code}
    interval, deadline = device.interval, clock() + DEVICE_SECONDS
    while clock() + interval <= deadline:
        answer = yield Post(url=url, body=body, after=interval)
        payload = _payload(answer)
        if answer.status == 200:
            return _device_grant(answer, payload)
        word = _word(payload)
        if word == "slow_down" or answer.status == 429:
            interval = min(interval + _INTERVAL, _LONGEST_INTERVAL)
        elif word in _FINAL_WORDS or not (_is_pending(answer, word) or _may_pass(answer)):
            raise LoginRefused(_trouble(answer, payload))
    raise LoginTimedOut(DEVICE_SECONDS)


def _is_pending(answer: CallbackAnswer, word: str) -> bool:
    return answer.status in _PENDING or word == "authorization_pending"


def _may_pass(answer: CallbackAnswer) -> bool:
    return answer.status == 0 or answer.status >= 500


def _device_grant(answer: CallbackAnswer, payload: Mapping[str, Any]) -> Grant:
    code, verifier = _text(payload, "authorization_code"), _text(payload, "code_verifier")
    if not code or not verifier:
        raise LoginRefused(_trouble(answer, payload))
    return Grant(code=code, verifier=verifier, redirect_uri=DEVICE_REDIRECT)


def _interval(value: object) -> float:
    """Seconds, given as a number or as text."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) else _INTERVAL
    except (ValueError, OverflowError):
        return _INTERVAL
    return min(max(seconds, 1.0), _LONGEST_INTERVAL) if math.isfinite(seconds) else _INTERVAL


# --- tokens ----------------------------------------------------------------------------------------------------------


def exchange_post(place: str, grant: Grant) -> Post:
    """Trades the code for tokens. A form, unlike a refresh."""
    body = {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": grant.code,
        "redirect_uri": grant.redirect_uri,
        "code_verifier": grant.verifier,
    }
    return Post(url=f"{place}/oauth/token", body=body, form=True)


def read_login(answer: CallbackAnswer, workspace: str | None, now: float) -> Login:
    """Whose login it became. Raises WrongWorkspace when that is not the one asked for, else LoginRefused."""
    payload = _payload(answer)
    access, refresh = (_text(payload, f"{name}_token") for name in ("access", "refresh"))
    id_token = _text(payload, "id_token")
    if answer.status != 200 or not access or not refresh:
        raise LoginRefused(_trouble(answer, payload))
    claims = [read_claims(token) for token in (access, id_token)]
    account_ids = {each.account_id for each in claims if each} - {""}
    if len(account_ids) != 1 or not fits_a_header(account_id := account_ids.pop()):
        raise LoginRefused("its tokens do not name one account")
    if workspace and account_id != workspace:
        raise WrongWorkspace(workspace, account_id)
    credentials = Credentials(
        access=access,
        refresh=refresh,
        id_token=id_token,
        expires_at=claims[0].expires_at if claims[0] else None,
        refreshed_at=now,
        own=True,
    )
    return login_of(account_id, credentials)


def revoke_post(url: str, credentials: Credentials) -> Post:
    """Ends a login at the provider."""
    body = {"token": credentials.refresh, "token_type_hint": "refresh_token", "client_id": CLIENT_ID}
    return Post(url=url, body=body)


# --- reading ---------------------------------------------------------------------------------------------------------


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _only(asked: Mapping[str, list[str]], name: str) -> str:
    """The one value of a parameter; "" for none or several."""
    values = asked.get(name, [])
    return values[0] if len(values) == 1 else ""


def _payload(answer: CallbackAnswer) -> Mapping[str, Any]:
    try:
        payload = json.loads(answer.body)
    except (ValueError, RecursionError):
        payload = None
    return payload if isinstance(payload, dict) else {}


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) and fits_a_header(value) else ""


def _word(payload: Mapping[str, Any]) -> str:
    """The error code of an answer, if it looks like one."""
    error = payload.get("error")
    return _as_word(error.get("code") if isinstance(error, Mapping) else error)


def _as_word(value: object) -> str:
    return value if isinstance(value, str) and WORD.fullmatch(value) else ""


def _trouble(answer: CallbackAnswer, payload: Mapping[str, Any]) -> str:
    """What an answer says, in words that hold nothing of its body."""
    if answer.status == 0:
        return "no answer came"
    if answer.status == 200:
        return "its answer was not understood"
    return f"{answer.status} {_word(payload)}".strip()
