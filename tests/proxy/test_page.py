"""The page of the real proxy: beside its traffic, and gone with it. What it shows is in tests/addons/dashboard."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from accounts.people.keys import new_secret
from accounts.store.store import Store
from config import clock, proxy_files
from config.page import token as page_token
from standin import StandIn
from tests.harness import PATIENCE, Proxy, eventually, fill, options
from tests.proxy.clients import http1, turn1
from tests.proxy.conftest import Bench

OPTIONS = {"rotate_page": "127.0.0.1:0"}


def page_of(home: Path) -> str:
    """Where the page of the proxy of this home is."""
    folder = proxy_files.folder({"CODEX_ROTATE_HOME": str(home)})
    assert eventually(lambda: proxy_files.announced(folder))
    return proxy_files.announced(folder)[0].page


def token_of(home: Path) -> str:
    return page_token.known_token({"CODEX_ROTATE_HOME": str(home)})


@pytest.fixture
def owner(bench: Bench) -> Iterator[httpx.Client]:
    home = bench.folder / "rotate"
    with httpx.Client(base_url=page_of(home), trust_env=False, timeout=PATIENCE) as client:
        assert client.get("/", params={"token": token_of(home)}).status_code == 303
        yield client


def test_it_is_told_where_it_is_and_never_what_opens_it(bench: Bench, owner: httpx.Client) -> None:
    page = page_of(bench.folder / "rotate")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", page)
    bench.proxy.output.wait_for(re.escape(f"the page is at {page}; `codex-rotate open` opens it"))
    with httpx.Client(proxy=bench.proxy.url, trust_env=False) as asking:
        assert asking.get(f"http://{proxy_files.HOST}/").json()["page"] == page
    assert token_of(bench.folder / "rotate") not in bench.proxy.output.text()


def test_a_turn_is_on_it_when_it_is_over(bench: Bench, owner: httpx.Client) -> None:
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    assert eventually(lambda: bench.thread in owner.get("/decisions").text)
    assert bench.first.account_id in owner.get("/").text


def test_a_pause_on_the_page_leads_the_next_turn_elsewhere(bench: Bench, owner: httpx.Client) -> None:
    text = owner.get("/", params={"q": bench.first.account_id}).text
    pause = re.search(r'value="(pause:account-\w+)"', text)
    csrf = re.search(r'name="csrf" value="(\w+)"', text)
    assert pause is not None
    assert csrf is not None
    assert owner.post("/act", data={"csrf": csrf[1], "do": pause[1]}).status_code == 303
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    assert bench.served_by() == ["second"]


def test_no_page_shows_a_login_of_the_pool(bench: Bench, owner: httpx.Client) -> None:
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    shown = "".join(owner.get(path).text for path in ("/", "/turns", "/timeline", "/usage", "/decisions", "/findings"))
    for account in (*bench.accounts, bench.home):
        for token in (*account.access_tokens_issued, *account.refresh_tokens_issued):
            assert token not in shown


def test_a_browser_that_goes_through_the_proxy_leaves_no_token_in_a_flow(bench: Bench, tmp_path: Path) -> None:
    """The page answers it as anybody; what is logged of the way there is masked."""
    home = bench.folder / "rotate"
    token = token_of(home)
    with httpx.Client(proxy=bench.proxy.url, trust_env=False) as through:
        through.get(page_of(home), params={"token": token})
    assert token not in bench.proxy.output.text()


@pytest.mark.parametrize("kind", ["taken", "others", "off", "nonsense"])
def test_without_a_page_the_proxy_serves_as_ever(kind: str, tmp_path: Path, confdir: Path) -> None:
    home = tmp_path / "rotate"
    with StandIn() as upstream, closing(socket.create_server(("127.0.0.1", 0))) as other:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
        wanted = {
            "taken": f"127.0.0.1:{other.getsockname()[1]}",
            "others": "0.0.0.0:0",
            "off": "off",
            "nonsense": "here",
        }[kind]
        with Proxy(upstream, home, confdir, options(rotate_page=wanted)) as proxy:
            if kind == "nonsense":
                proxy.output.wait_for("rotate_page needs an address and a port")
                assert proxy.process.wait(PATIENCE) == 1
                return
            assert page_of(home) == ""
            said = {
                "taken": "listens there: end it, or name another port",
                "others": "can be reached by others",
                "off": "",
            }
            proxy.output.wait_for(re.escape(said[kind]))


def test_with_keys_it_can_be_reached_by_others_and_outlives_a_proxy(tmp_path: Path, confdir: Path) -> None:
    """Its cookie is good for the next proxy too, which has the port as soon as this one begins to end."""
    home = tmp_path / "rotate"
    with StandIn() as upstream, httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
        with Store(home / "pool.db") as store:
            store.put_client_key("kim", new_secret(), clock.now()).result()
        with Proxy(upstream, home, confdir, options(rotate_page="0.0.0.0:0")):
            page = page_of(home)
            assert client.get(page, params={"token": token_of(home)}).status_code == 303
            assert client.get(page).status_code == 200
        assert eventually(lambda: not proxy_files.announced(home / "proxies"))
        at = page.removeprefix("http://").strip("/")
        with Proxy(upstream, home, confdir, options(rotate_page=at)):
            assert page_of(home) == page
            assert client.get(page).status_code == 200
