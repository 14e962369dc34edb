"""The login server: refresh, browser and device login, revocation (docs/codex-wire.md sections 4 and 5)."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from standin.accounts import Account, AccountDetails, identity
from standin.faults import TOKEN_PATH
from standin.records import Incoming, Record
from standin.replies import EMPTY_OBJECT, Reply, error_reply, json_reply
from standin.state import Code, Refresh, State
from standin.tokens import Grant, Ledger

DEVICE_REDIRECT = "https://auth.openai.com/deviceauth/callback"

_PENDING = error_reply(403, "deviceauth_authorization_pending", "The device is not approved yet.")
_NOT_READABLE = error_reply(400, "invalid_request", "The request has neither a readable form nor a JSON object.")
_NOBODY = error_reply(400, "login_required", "Nobody is at the browser; call login_as() first.")
_BAD_GRANT = error_reply(400, "invalid_grant", "The code, its redirect_uri or its verifier is not right.")
_NO_KEY = error_reply(400, "invalid_request", "This account has no organization to make an API key for.")


def parameters(request: Incoming, body: bytes) -> dict[str, str]:
    """The parameters of a request: a JSON object's, a form's, or the query's if there is no body."""
    if not body:
        return dict(parse_qsl(urlsplit(request.path).query))
    try:
        content = json.loads(body)
    except ValueError:
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What a refresh gets by name: a refusal, or, its token being spent, something `instead` of what it has bought."""

    refusal: Reply = EMPTY_OBJECT
    instead: Callable[["LoginServer", Grant], Reply] | None = None
    spends: bool = False


def _refused(status: int, error: str) -> TokenAnswer:
    """As OAuth has it: the code as text."""
    return TokenAnswer(json_reply({"error": error, "error_description": "The stand-in was told to say so."}, status))


def _with(**tokens: Any) -> TokenAnswer:
    """New tokens, but for these."""
    return TokenAnswer(instead=lambda _, grant: json_reply(grant.reply() | tokens), spends=True)


def _strangers(server: "LoginServer", _: Grant) -> Reply:
    return json_reply(server.stranger().reply())


def _other_users(server: "LoginServer", grant: Grant) -> Reply:
    account_id = server.account_of(grant)
    return json_reply(server.stranger(account_id=account_id).reply())


def _strange_id(server: "LoginServer", grant: Grant) -> Reply:
    return json_reply(grant.reply() | {"id_token": server.stranger().id_token})


_HTML = Reply(401, (("content-type", "text/html"),), b"<html><body>refresh_token_expired, or not</body></html>")
TRUTH = TokenAnswer(spends=True)
TOKEN_ANSWERS: dict[str, TokenAnswer] = {
    # nobody's refresh token is at its end
    "html_200": TokenAnswer(replace(_HTML, status=200)),
    "html_400": TokenAnswer(replace(_HTML, status=400)),
    "html_401": TokenAnswer(_HTML),
    "html_403": TokenAnswer(replace(_HTML, status=403)),
    "empty_200": TokenAnswer(Reply(200)),
    "empty_400": TokenAnswer(Reply(400)),
    "empty_401": TokenAnswer(Reply(401)),
    "empty_object": TokenAnswer(EMPTY_OBJECT),
    "without_code_401": TokenAnswer(error_reply(401, None, "Your refresh token has expired.")),
    "temporarily_unavailable": _refused(400, "temporarily_unavailable"),
    "server_error": _refused(400, "server_error"),
    "unavailable_503": TokenAnswer(Reply(503)),
    "slow_down": _refused(429, "slow_down"),
    "invalid_client": _refused(401, "invalid_client"),
    "unauthorized_client": _refused(400, "unauthorized_client"),
    "unsupported_grant_type": _refused(400, "unsupported_grant_type"),
    # it is
    "invalid_grant": _refused(400, "invalid_grant"),
    **{
        code: TokenAnswer(error_reply(401, code, "Please try signing in again."))
        for code in ("refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated", "token_revoked")
    },
    # it is spent, for something that cannot be used
    "other_account": TokenAnswer(instead=_strangers, spends=True),
    "other_user": TokenAnswer(instead=_other_users, spends=True),
    "other_id_token": TokenAnswer(instead=_strange_id, spends=True),
    "broken_access_token": _with(access_token="two\nlines and a space"),  # noqa: S106 - none
    "long_access_token": _with(access_token="x" * 100_000),
    "number_as_access_token": _with(access_token=7),
    "broken_refresh_token": _with(refresh_token="two\nlines and a space"),  # noqa: S106 - none
    "no_refresh_token": _with(refresh_token=None),
}
"""What `Account.refreshes_get` may be told. A connection that drops is a fault of the token endpoint's path: `RESET` or
`CLOSE`, before the token is spent, or with `after_output` once it is."""


class LoginServer:
    """The endpoints of auth.openai.com."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.routes: dict[tuple[str, str], Callable[[Record], Reply]] = {
            ("GET", "/oauth/authorize"): self._authorize,
            ("POST", TOKEN_PATH): self._token,
            ("POST", "/oauth/revoke"): self._revoke,
            ("POST", "/api/accounts/deviceauth/usercode"): self._usercode,
            ("POST", "/api/accounts/deviceauth/token"): self._device_token,
        }

    def owner(self, record: Record) -> Account | None:
        """Whose refresh token or authorization code a request bears."""
        asked = parameters(record.request, record.body)
        with self._state.changed:
            token = self._state.ledger.refresh.get(asked.get("refresh_token") or asked.get("token") or "")
            code = self._state.logins.codes.get(asked.get("code", ""))
            return self._state.accounts[token.owner.key] if token else code.account if code else None

    def account_of(self, grant: Grant) -> str:
        """The workspace that tokens are for."""
        with self._state.changed:
            return self._state.ledger.access[grant.access].owner.account_id

    def _authorize(self, record: Record) -> Reply:
        asked = parameters(record.request, b"")
        with self._state.changed:
            who = self._state.logins.who
            found = self._state.find(who or "*")
        if not found or (who is None and len(found) > 1):
            return _NOBODY
        redirect = asked.get("redirect_uri", "")
        account = self._seat(found[0], asked.get("allowed_workspace_id"))
        code = self._new_code(account, redirect, asked.get("code_challenge", ""))
        query = urlencode({"code": code, "state": asked.get("state", "")})
        return Reply(302, (("location", f"{redirect}?{query}"),))

    def _token(self, record: Record) -> Reply:
        asked = parameters(record.request, record.body)
        match asked.get("grant_type"):
            case "refresh_token":
                return self._refresh(record, asked)
            case "authorization_code":
                return self._trade(asked)
            case "urn:ietf:params:oauth:grant-type:token-exchange":
                return _NO_KEY
        return _NOT_READABLE

    def _refresh(self, record: Record, asked: dict[str, str]) -> Reply:
        owner = self.owner(record)
        with self._state.changed:
            name = owner.at_token_endpoint.take() if owner else ""
            said = TOKEN_ANSWERS[name] if name else TRUTH
            lives = owner.tokens_live if owner else None
            given: Grant | Reply = said.refusal
            if said.spends:
                given = self._state.ledger.spend(asked.get("refresh_token", ""), self._state.clock(), lives)
            ok = isinstance(given, Grant) and not name
            at = self._state.records.index(record)
            self._state.refreshes.append(Refresh(owner.account_id if owner else None, at, ok))
            self._state.changed.notify_all()
        if owner is None or not isinstance(given, Grant):
            return _as_reply(given)
        truth = self._granted(owner, given)
        return said.instead(self, given) if said.instead is not None else truth

    def stranger(self, *, account_id: str = "acc-of-a-stranger", user_id: str = "user-of-a-stranger") -> Grant:
        """Tokens of somebody whom nobody has asked for. Nothing accepts them."""
        return Ledger().issue(identity(account_id, AccountDetails(user_id=user_id)), self._state.clock())

    def _trade(self, asked: dict[str, str]) -> Reply:
        with self._state.changed:
            code = self._state.logins.codes.pop(asked.get("code", ""), None)
            if code is None or code.redirect_uri != asked.get("redirect_uri"):
                return _BAD_GRANT
            if not secrets.compare_digest(code.challenge, challenge_of(asked.get("code_verifier", ""))):
                return _BAD_GRANT
            given = self._state.ledger.issue(code.account.identity, self._state.clock())
        return self._granted(code.account, given)

    def _granted(self, owner: Account, grant: Grant) -> Reply:
        with self._state.changed:
            owner.grant = grant
        return json_reply({**grant.reply(), "expires_in": int(owner.identity.expires_in)})

    def _revoke(self, record: Record) -> Reply:
        value = parameters(record.request, record.body).get("token", "")
        with self._state.changed:
            if (token := self._state.ledger.refresh.get(value)) is not None:
                token.revoked = True
        return EMPTY_OBJECT

    def _usercode(self, record: Record) -> Reply:
        device_id, user_code = f"deviceauth_{secrets.token_hex(8)}", f"TEST-{secrets.token_hex(3).upper()}"
        logins = self._state.logins
        with self._state.changed:
            logins.devices[device_id] = user_code
            expires_at = int(self._state.clock() + 900)
            interval = str(logins.interval)
        answer: dict[str, Any] = {"device_auth_id": device_id, "user_code": user_code}
        return json_reply(answer | {"interval": interval, "expires_at": expires_at})

    def _device_token(self, record: Record) -> Reply:
        asked, logins = parameters(record.request, record.body), self._state.logins
        device_id = asked.get("device_auth_id", "")
        with self._state.changed:
            if logins.devices.get(device_id) != asked.get("user_code"):
                return error_reply(404, "deviceauth_not_found", "No such device login.")
            if logins.device is None:
                return _PENDING
            account = self._state.find(logins.device)[0]
            del logins.devices[device_id]
            logins.device = None
        verifier = secrets.token_urlsafe(48)
        challenge = challenge_of(verifier)
        code = self._new_code(account, DEVICE_REDIRECT, challenge)
        return json_reply({"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier})

    def _seat(self, account: Account, workspace: str | None) -> Account:
        """The seat in this workspace that the person at the browser has; without one the account itself."""
        with self._state.changed:
            return self._state.accounts.get(f"{workspace}:{account.user_id}", account)

    def _new_code(self, account: Account, redirect_uri: str, challenge: str) -> str:
        code = f"ac_{secrets.token_urlsafe(24)}"
        with self._state.changed:
            self._state.logins.codes[code] = Code(account, redirect_uri, challenge)
        return code


def _as_reply(given: Grant | Reply) -> Reply:
    assert isinstance(given, Reply), "a grant always has an owner"
    return given
