"""A machine on which a secret lies in every place where one could lie, for the tests of reports."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from accounts.choice.decision_record import DECISION
from accounts.model import Account, Credentials, Event
from accounts.store.store import Store
from config import clock
from tests.builders import token
from tests.cli.doctors import fake_codex, private

PASSWORD: Final = 'pä$$w"or\\d/ of the proxy'
USER: Final = "jane.roe"
VARIABLES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "SSL_CERT_FILE")


@dataclass
class Planted:
    """By where each one was put. A value may be in several spellings; none may be seen."""

    secrets: dict[str, str] = field(default_factory=dict)

    def put(self, where: str, secret: str) -> str:
        assert where not in self.secrets
        self.secrets[where] = secret
        return secret

    def seen_in(self, text: str) -> list[str]:
        """Where what is in this text was put: as it is, escaped, and any 20 characters of a long one."""
        found = []
        for where, secret in self.secrets.items():
            parts = [secret] if len(secret) < 40 else [secret[at : at + 20] for at in range(0, len(secret) - 19, 10)]
            forms = {form for part in parts for form in (part, json.dumps(part)[1:-1], quote(part, safe=""))}
            if any(form.lower() in text.lower() for form in forms):
                found.append(where)
        return found


def opaque(name: str) -> str:
    """A key or refresh token: nothing in it can be recognised."""
    return f"Zq7{name}-" + base64.urlsafe_b64encode(name.encode() * 9).decode().strip("=")[:40]


def planted_machine(folder: Path, home: Path, patch: pytest.MonkeyPatch) -> Planted:
    """The fixture `home` has set where everything is: the client's folder is `folder`."""
    plants = Planted()
    for name in VARIABLES:
        patch.delenv(name, raising=False)
    patch.setenv("PATH", str(fake_codex(folder / "bin")))
    home.mkdir(mode=0o700)
    _pool(plants, home)
    _files(plants, folder, home)
    _logs(plants, folder, home)
    for name, secret in (("OPENAI_API_KEY", opaque("env-key")), ("DEPLOY_PASSWORD", "hunter2-of-the-environment")):
        patch.setenv(name, plants.put(f"environment {name}", secret))
    patch.setenv(
        "HTTPS_PROXY", f"http://ci:{plants.put('environment HTTPS_PROXY', 'hunter3-of-the-shell')}@127.0.0.1:1"
    )
    return plants


def _pool(plants: Planted, home: Path) -> None:
    claims = {"chatgpt_account_id": "0b6e1f4c-7a11-4000-8000-000000000001", "chatgpt_user_id": "user-QkJ1Zz8xYw"}
    tokens = Credentials(
        access=plants.put("pool access", token(claims, exp=4e9, nonce="access")),
        refresh=plants.put("pool refresh", opaque("refresh")),
        id_token=plants.put("pool id_token", token(claims, exp=4e9, nonce="id")),
    )
    seat = Account(
        account_id=plants.put("pool account id", claims["chatgpt_account_id"]),
        user_id=plants.put("pool user id", claims["chatgpt_user_id"]),
        email=plants.put("pool e-mail", "Jane.Roe@corp.example"),
        label=plants.put("pool label", "janes-own-seat"),
        note=plants.put("pool note", "the password is swordfish-note"),
        tags=(plants.put("pool tag", "tag-that-is-private"),),
        plan="pro",
    )
    with Store(home / "pool.db") as store:
        store.put_account(seat, tokens).result()
        store.put_account(
            Account(
                account_id="acct-2", user_id="user-2", label=plants.put("second label", "sarahs.seat"), added_at=1.0
            ),
            Credentials(access="x", refresh=plants.put("second refresh", opaque("second"))),
        ).result()
        store.put_client_key("laptop", plants.put("client key in the pool", opaque("client-key")), 1.0).result()
        store.record(*_events(plants, seat, tokens)).result()


def _events(plants: Planted, seat: Account, tokens: Credentials) -> Iterator[Event]:
    tries = [
        {"account": seat.label, "why": f"because {tokens.access[:60]}", "kind": "usage_limit", "seconds": 1,
         "detail": f"429 {tokens.refresh[:30]}"},
        {"account": plants.put("label of a removed account", "gone.persons.seat"), "why": "w", "kind": "ok",
         "detail": f"{tokens.refresh[-30:]} {seat.email.upper()}", "seconds": 1},
    ]  # fmt: skip
    told = {"done": "delivered", "model": plants.put("model", "sk model-with spaces"), "seconds": 2, "attempts": tries}
    at = clock.now()
    thread = plants.put("thread", "thread-id-that-is-private")
    yield Event(at=at, kind=DECISION, key=seat.key, thread=thread, detail=json.dumps(told))
    for kind in ("removed", "relabelled", "logged_out", "tags_changed", "of_another_version"):
        yield Event(at=at, kind=kind, key=seat.key, detail=plants.put(f"event {kind}", f"private-words-of-{kind}"))
    url = f"http://joe:{plants.put('event address', 'hunter4-of-an-event')}@proxy.test:1"
    yield Event(at=at, kind="connect_failed", key=seat.key, detail=f"no way through {url} for {seat.account_id}")


def _files(plants: Planted, folder: Path, home: Path) -> None:
    address = f"http://{USER}:{quote(PASSWORD, safe='')}@proxy.example:3128"
    plants.put("upstream_proxy", PASSWORD)
    private(home / "config.toml", f'# mine\nupstream_proxy = "{address}"\nstrategy = "pinned"\n'
                                  'pinned_account = "Jane.Roe@corp.example"\n')  # fmt: skip
    private(home / "client.key", plants.put("client.key", opaque("client.key")) + "\n")
    own = token({"chatgpt_account_id": "9f6e1f4c-7a11-4000-8000-00000000000c"}, exp=4e9, email="own@corp.example")
    plants.put("client's account id", "9f6e1f4c-7a11-4000-8000-00000000000c")
    login = {
        "OPENAI_API_KEY": plants.put("auth.json key", opaque("auth-key")),
        "tokens": {"access_token": plants.put("auth.json access", own), "id_token": own,
                   "refresh_token": plants.put("auth.json refresh", opaque("auth-refresh")),
                   "account_id": "9f6e1f4c-7a11-4000-8000-00000000000c"},
        "last_refresh": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    private(folder / "auth.json", json.dumps(login))
    several = {"accounts": [{"email": "a@b.example", "auth": {"tokens": {
        "refresh_token": plants.put("accounts.json refresh", opaque("several"))}}}]}  # fmt: skip
    private(folder / "accounts.json", json.dumps(several)[:-2])  # cut off, as a crash leaves it
    private(folder / ".env", f"OPENAI_API_KEY={plants.put('.env key', opaque('dotenv'))}\n")
    bearer = plants.put("client's config.toml", opaque("bearer"))
    private(folder / "config.toml", f'model_provider = "mine"\nexperimental_bearer_token = "{bearer}"\n')


def _logs(plants: Planted, folder: Path, home: Path) -> None:
    """Everything above is said here as well, and what nobody knows beforehand."""
    logs = home / "logs"
    logs.mkdir(mode=0o700)
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    unknown = {
        "token": token({"chatgpt_account_id": "x"}, exp=4e9, nonce="log"),
        "key": "sk-proj-1234567890abcdefABCDEF",
        "random": "aB3" * 20,
        "e-mail": "somebody.else@elsewhere.example",
        "password": "hunter5-of-a-log",
        "cookie": "hunter6-cookie",
        "bearer": "hunter7.bearer",
    }
    for name, secret in unknown.items():
        plants.put(f"log {name}", secret)
    plants.put("log basic", basic)
    lines = [
        *(secret for where, secret in plants.secrets.items() if where.startswith(("pool ", "auth", ".env", "client"))
          and where not in {"pool note", "pool tag"}),
        f"upstream_proxy {quote(PASSWORD, safe='')} and as it is {PASSWORD}, in JSON {json.dumps(PASSWORD)}",
        f"Proxy-Authorization: Basic {basic}", f"basic {basic}", f"got {unknown['token']}, {unknown['key']}.",
        f"random {unknown['random']} of {unknown['e-mail']}", f"password={unknown['password']}",
        f"Set-Cookie: session={unknown['cookie']}; Secure", f"authorization: Bearer {unknown['bearer']}",
    ]  # fmt: skip
    private(logs / "4711.log", "first line\n" + "\r\n".join(lines) + "\nlast line\n")
    private(logs / f"{plants.put('name of a log', 'joe.doe@corp.example')}.log", "nothing\n")
    (logs / "4712.log").symlink_to(folder / "auth.json")
