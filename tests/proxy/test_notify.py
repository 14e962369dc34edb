"""The owner is told what happens to the pool, by the real proxy, and no turn waits for that."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.choice.outcomes import Kind
from accounts.model import Cooldown, Standing
from accounts.store.store import Store
from config import clock
from config.notify import NoticeKind
from standin import Account, StandIn
from tests.harness import Proxy, fill, secrets_of
from tests.proxy.clients import http1, turn1
from tests.webhooks import SECRET, Webhook

HASTY = Path(__file__).with_name("hasty_notices.py")
NAMES = ("ann", "bob")


@dataclass
class Scene:
    """A home with two accounts, the settings that tell `hook`, and what is behind the proxy."""

    upstream: StandIn
    home: Path
    confdir: Path
    accounts: list[Account]

    def settings(self, hook: Webhook, **more: object) -> None:
        events = [str(kind) for kind in NoticeKind if kind is not NoticeKind.CERTIFICATE_ENDS]  # that of the tests does
        table = {"webhook": hook.url, "secret": SECRET, "events": events, **more}
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        (self.home / "config.toml").write_text("\n".join(["[notify]", *lines, ""]))

    def proxy(self) -> Proxy:
        return Proxy(self.upstream, self.home, self.confdir, scripts=[HASTY])

    @contextmanager
    def pool(self) -> Iterator[tuple[Store, list[str]]]:
        """As another command has it, with the keys of the accounts."""
        with Store(self.home / "pool.db") as store:
            yield store, [each.identity.key for each in self.accounts]

    def loses(self, name: str) -> None:
        with self.pool() as (store, keys):
            store.set_standing(keys[NAMES.index(name)], Standing.NEEDS_LOGIN, "token_revoked").result()

    def rests(self, name: str, seconds: float) -> None:
        with self.pool() as (store, keys):
            now, key = clock.now(), keys[NAMES.index(name)]
            store.clear_cooldown(key).result()
            if seconds:
                store.set_cooldown(key, Cooldown(until=now + seconds, reason=Kind.USAGE_LIMIT, since=now)).result()


@pytest.fixture
def scene(tmp_path: Path, confdir: Path) -> Iterator[Scene]:
    with StandIn() as upstream:
        accounts = [upstream.add_account(name) for name in NAMES]
        fill(tmp_path / "rotate", accounts, tmp_path)
        yield Scene(upstream, tmp_path / "rotate", confdir, accounts)


def test_two_proxies_of_one_home_tell_what_happens_once(scene: Scene) -> None:
    got = scene.home / "got"
    code = f"import sys; open({str(got)!r}, 'a').write(sys.stdin.read() + '\\n')"
    with Webhook() as hook:
        scene.settings(hook, command=[sys.executable, "-c", code])
        with scene.proxy() as one, scene.proxy() as other:
            assert one.port != other.port
            scene.loses("ann")
            hook.wait_for(1)
            scene.rests("bob", 3600)
            hook.wait_for(2)
            scene.rests("bob", 0)
            hook.wait_for(3)
            said = one.stop() + other.stop()
    assert hook.events == ["login_needed", "pool_dry", "pool_back"]
    assert [json.loads(line) for line in got.read_text().splitlines()] == [each.told for each in hook.posted]
    assert hook.posted[0].told["account"] == "ann"
    everything = said + got.read_text() + (scene.home / "notices.json").read_text()
    everything += "".join(each.body.decode() + repr(each.headers) for each in hook.posted)
    assert not [secret for secret in (*secrets_of(scene.accounts), SECRET) if secret in everything]
    assert "a-path-that-is-a-secret" not in said
    assert "Traceback" not in said


def test_a_proxy_that_starts_again_tells_only_what_is_new(scene: Scene) -> None:
    with Webhook() as hook:
        scene.settings(hook)
        for name in NAMES:
            scene.rests(name, 3600)
        with scene.proxy():
            hook.wait_for(1)
        scene.loses("ann")
        with scene.proxy():
            hook.wait_for(2)
        scene.rests("bob", 0)
        with scene.proxy():
            hook.wait_for(3)
    assert hook.events == ["pool_dry", "login_needed", "pool_back"]


def test_a_webhook_that_hangs_holds_neither_a_turn_nor_the_end_of_the_proxy(scene: Scene) -> None:
    own = scene.upstream.add_account("own")
    headers = {"authorization": f"Bearer {own.access_token}", "content-type": "application/json"}
    with Webhook(hangs=True) as hook:
        scene.settings(hook)
        with scene.proxy() as proxy, http1(proxy) as client:
            assert turn1(client, headers).completed
            scene.loses("ann")
            hook.wait_for(1)
            began = clock.monotonic()
            for _ in range(20):
                assert turn1(client, headers).completed
            assert len(hook.posted) == 1, "it still hangs"
            assert clock.monotonic() - began < 9, "or it would have been given up meanwhile"
            said = proxy.stop()
    assert "defect" not in said


def test_a_running_proxy_follows_what_the_file_says_and_no_mistake_in_it(scene: Scene) -> None:
    with Webhook() as hook, scene.proxy() as proxy:
        proxy.output.wait_for("2 accounts from")
        scene.settings(hook)
        proxy.output.wait_for(r"\[notify\] has changed")
        scene.loses("ann")
        hook.wait_for(1)
        (scene.home / "config.toml").write_text("[notify]\nwebhook = 1\n")
        proxy.output.wait_for(r"goes on to hold: .*config\.toml: notify: `webhook` must be an address")
        scene.rests("bob", 3600)
        hook.wait_for(2)
        said = proxy.stop()
    assert hook.events == ["login_needed", "pool_dry"]
    assert said.count("goes on to hold") == 1


def test_a_table_with_a_mistake_keeps_the_proxy_from_starting_and_says_where(scene: Scene) -> None:
    (scene.home / "config.toml").write_text(f'[notify]\nwebhook = "http://hooks.example/x"\nsecret = "{SECRET}"\n')
    with scene.proxy() as proxy:
        proxy.output.wait_for(r"config\.toml: notify: `webhook` must be https, unless it is on this machine \(line 1\)")
        assert SECRET not in proxy.stop()
