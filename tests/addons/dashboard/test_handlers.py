"""What the page answers, to whom, and what it refuses."""

import asyncio
import logging
import re
from html.parser import HTMLParser

import httpx
import pytest

from accounts.model import Cooldown
from accounts.people.keys import ClientKey, new_secret
from accounts.people.people import Person
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from addons.dashboard.handlers import own_path
from addons.dashboard.views.frame import VIEWS, path_of
from config import clock
from config.page import token as page_token
from tests.addons.dashboard.site import Site
from tests.builders import account, credentials
from tests.rows import all_rows

HANDLE = account("ann").handle


class Forms(HTMLParser):
    """The fields of a page's forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "input":
            self.fields.setdefault(known.get("name") or "", known.get("value") or "")
        self.inline += [name for name, _ in attrs if name == "style" or name.startswith("on")]
        self.inline += [tag] if tag == "style" or (tag == "script" and not known.get("src")) else []


async def change(client: httpx.AsyncClient, do: str, value: str = "", place: str = "/") -> str:
    """Press a button of the page, and read the page that comes then."""
    csrf = Forms((await client.get(place)).text).fields["csrf"]
    answer = await client.post("/act", data={"csrf": csrf, "do": do, "value": value}, headers={"Referer": place})
    assert answer.status_code == 303, answer.text
    return (await client.get(answer.headers["location"])).text


def undo_in(text: str) -> str:
    found = re.search(r'value="(undo:\w+)"', text)
    assert found is not None, text
    return found[1]


# --- who is let in ---------------------------------------------------------------------------------------------------


async def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(site: Site) -> None:
    async with site.client() as client:
        answer = await client.get("/usage", params={"token": page_token.own_token(), "span": "24h"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/usage?span=24h")
        assert answer.headers["referrer-policy"] == "no-referrer"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert page_token.own_token() not in cookie
        assert (await client.get("/")).status_code == 200


async def test_without_a_token_or_with_a_wrong_one_nothing_is_shown(site: Site) -> None:
    async with site.client() as client:
        for path in (*map(path_of, VIEWS), f"/account/{HANDLE}", "/nothing", "/?token=wrong", "/?token="):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert "ann" not in answer.text
            assert "set-cookie" not in answer.headers
        assert (await client.get("/events?view=accounts")).status_code == 401
        assert (await client.post("/act", data={"do": f"pause:{HANDLE}"})).status_code == 403
        assert (await client.post("/enter", data={"key": "wrong"})).status_code == 401
    assert all(each.enabled for each in site.store.accounts())


async def test_a_code_opens_once(site: Site) -> None:
    code = page_token.new_code(page_token.own_token(), clock.now())
    async with site.client() as first, site.client() as second:
        assert (await first.get("/", params={"token": code})).status_code == 303
        assert (await second.get("/", params={"token": code})).status_code == 401


async def test_a_browser_that_comes_from_another_site_shows_its_cookie_with_the_next_request(site: Site) -> None:
    """A strict cookie is not sent with the first one, wherever the link was."""
    async with site.client() as client:
        answer = await client.get("/usage?span=7d", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 200
        assert 'content="0;url=/usage?span=7d"' in answer.text


@all_rows(
    ("address", "path"),
    [
        ("/usage?span=7d", "/usage?span=7d"),
        ("http://127.0.0.1:8119/timeline", "/timeline"),
        ("//evil.test/x", "/x"),
        ("https://evil.test", "/"),
        ("/\\evil.test", "/%5Cevil.test".replace("%5C", "")),
        ("javascript:alert(1)", "/alert%281%29"),
        ("https://[evil.test", "/"),
    ],
)
def test_nothing_leads_away_from_the_page(address: str, path: str) -> None:
    assert own_path(address) == path


async def test_another_name_for_this_machine_is_refused(site: Site) -> None:
    async with site.owner() as client:
        for host in ("evil.test", f"evil.test:{site.server.address.port}", "127.0.0.1:1", ""):
            for path in ("/", "/static/page.js", "/events?view=accounts"):
                assert (await client.get(path, headers={"Host": host})).status_code in {400, 421}


async def test_a_page_of_somebody_else_may_ask_for_nothing(site: Site) -> None:
    async with site.owner() as client:
        csrf = Forms((await client.get("/")).text).fields["csrf"]
        body = {"csrf": csrf, "do": f"pause:{HANDLE}"}
        for origin in ("http://evil.test", "null", site.url.replace("http", "https"), "http://127.0.0.1:1"):
            assert (await client.post("/act", data=body, headers={"Origin": origin})).status_code == 403
            assert (await client.get("/", headers={"Origin": origin})).status_code == 403
        assert (await client.post("/act", data={**body, "csrf": "x" * 64})).status_code == 403
        assert (await client.post("/act", data={"do": body["do"]})).status_code == 403
        assert all(each.enabled for each in site.store.accounts())
        assert (await client.post("/act", data=body, headers={"Origin": site.url})).status_code == 303


async def test_every_answer_forbids_what_is_not_from_here(site: Site) -> None:
    async with site.owner() as client:
        for path in (*map(path_of, VIEWS), f"/account/{HANDLE}", "/static/page.css", "/nothing"):
            answer = await client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert not re.search(r"""(?:src|href|action|url)\s*=\s*["'(]?\s*(?:https?:)?//""", answer.text)
            assert Forms(answer.text).inline == []


async def test_who_leaves_is_out(site: Site) -> None:
    async with site.owner() as client:
        csrf = Forms((await client.get("/")).text).fields["csrf"]
        assert (await client.post("/leave", data={"csrf": "x"})).status_code == 403
        assert (await client.post("/leave", data={"csrf": csrf})).status_code == 303
        assert (await client.get("/")).status_code == 401


# --- people ----------------------------------------------------------------------------------------------------------


async def test_people_see_what_is_theirs(site: Site, store: Store) -> None:
    secret = new_secret()
    store.people.put(Person(name="kim")).result()
    store.people.put_key(ClientKey(name="kim-laptop", digest="", person="kim"), secret).result()
    site.server.contents.service.sync(at_once=True)
    site.live += [
        LiveTurn(id="1", began=clock.now(), person="kim", project="of-kim", account="ann"),
        LiveTurn(id="2", began=clock.now(), person="lee", project="of-lee", account="bob"),
    ]
    async with site.client() as client:
        assert (await client.post("/enter", data={"key": secret})).status_code == 303
        turns = (await client.get("/turns")).text
        assert "of-kim" in turns
        assert "of-lee" not in turns
        for path in ("/", "/turns", "/usage", "/decisions"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert not re.search(r"\b(ann|bob)\b", answer.text)
        csrf = Forms(turns).fields["csrf"]
        for path in ("/accounts", "/timeline", "/findings", f"/account/{HANDLE}", "/events?view=accounts"):
            assert (await client.get(path)).status_code == 403
        assert (await client.post("/act", data={"csrf": csrf, "do": f"pause:{HANDLE}"})).status_code == 403
        store.people.remove("kim").result()
        site.server.contents.service.sync(at_once=True)
        assert (await client.get("/turns")).status_code == 401


async def test_without_keys_nobody_else_is_listened_to(site: Site, store: Store) -> None:
    assert site.server.may_come("127.0.0.1")
    assert site.server.may_come("::1")
    assert not site.server.may_come("10.0.0.7")
    store.put_client_key("local", new_secret(), clock.now()).result()
    site.server.contents.service.sync(at_once=True)
    assert not site.server.may_come("10.0.0.7")
    store.put_client_key("kim", new_secret(), clock.now()).result()
    site.server.contents.service.sync(at_once=True)
    assert site.server.may_come("10.0.0.7")


# --- changes ---------------------------------------------------------------------------------------------------------


async def test_each_change_is_done_said_written_down_and_taken_back(site: Site, store: Store) -> None:
    now = clock.now()
    store.set_cooldown(account("ann").key, Cooldown(until=now + 600, reason="usage_limit", since=now)).result()

    def state() -> dict[str, object]:
        ann = next(each for each in store.accounts() if each.key == account("ann").key)
        told = {"enabled": ann.enabled, "chosen": store.chosen_account(), "rests": bool(store.cooldowns())}
        return told | {"label": ann.label, "priority": ann.priority, "tags": ann.tags, "kept": ann.reserve_percent}

    before = state()
    steps = {
        f"pause:{HANDLE}": ("", {"enabled": False}, "paused"),
        f"use:{HANDLE}": ("", {"chosen": account("ann").key}, "chosen"),
        f"clear:{HANDLE}": ("", {"rests": False}, "rest_ended"),
        f"label:{HANDLE}": ("office", {"label": "office"}, "relabelled"),
        f"priority:{HANDLE}": ("7", {"priority": 7}, "priority_changed"),
        f"tags:{HANDLE}": ("team spare", {"tags": ("team", "spare")}, "tags_changed"),
        f"reserve:{HANDLE}": ("20", {"kept": 20}, "reserve_changed"),
    }
    async with site.owner() as client:
        for do, (value, expected, kind) in steps.items():
            text = await change(client, do, value)
            assert state() == before | expected
            written = store.events(1)[0]
            assert written.kind == kind
            assert "by the owner, on the page" in written.detail
            await change(client, undo_in(text))
            assert state() == before
            assert "by the owner, on the page" in store.events(1)[0].detail


async def test_what_cannot_be_done_says_why_and_changes_nothing(site: Site, store: Store) -> None:
    async with site.owner() as client:
        for do, value, said in (
            ("pause:account-0", "", "There is no account"),
            (f"label:{HANDLE}", "bob", "bob"),
            (f"label:{HANDLE}", "  ", "A label needs"),
            (f"priority:{HANDLE}", "many", "A priority is a whole number"),
            (f"tags:{HANDLE}", "team -spare", "the others go"),
            (f"reserve:{HANDLE}", "120", "What is kept is a whole number"),
            (f"burn:{HANDLE}", "", "There is no change called"),
            ("undo:gone", "", "cannot be taken back any more"),
        ):
            text = await change(client, do, value)
            assert 'class="notice bad"' in text
            assert said in text
    assert [each.label for each in store.accounts()] == ["ann", "bob"]


async def test_a_change_of_this_page_counts_for_the_proxy_s_next_request(site: Site) -> None:
    async with site.owner() as client:
        await change(client, f"pause:{HANDLE}")
        service = site.server.contents.service
        service.sync(at_once=True)
        assert not service.pool.candidates[account("ann").key].account.enabled


# --- views -----------------------------------------------------------------------------------------------------------


async def test_the_pool_s_file_cannot_be_read_and_the_page_says_so(site: Site) -> None:
    async with site.owner() as client:
        site.lose()
        text = (await client.get("/")).text
        assert "The pool&#x27;s file is locked." in text
        assert "Turns go on" in text
        assert "bob" in text  # from memory
        assert "is locked" in (await client.get("/decisions")).text


async def test_a_label_is_text_whatever_is_in_it(site: Site, store: Store) -> None:
    store.update_account(account("ann").key, label="<script>alert(1)</script>").result()
    async with site.owner() as client:
        text = (await client.get("/")).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text


async def test_nothing_of_a_login_or_a_key_is_on_any_page_nor_in_the_log(
    site: Site, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = new_secret()
    store.put_client_key("kim", secret, clock.now()).result()
    token = page_token.own_token()
    async with site.owner() as client:
        await client.get("/", params={"token": "a-wrong-token-of-somebody"})
        paths = [*map(path_of, VIEWS), f"/account/{HANDLE}", "/nothing", "/static/page.js", "/events?view=none"]
        shown = "".join([(await client.get(path)).text for path in paths])
        cookie = next(iter(client.cookies.values()))
    planted = [token, secret, cookie, "a-wrong-token-of-somebody"]
    planted += [text for name in ("ann", "bob") for text in (credentials(name).access, credentials(name).refresh)]
    asking = ("httpx", "httpcore")  # the browser of this test
    logged = "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith(asking))
    for each in planted:
        assert each not in shown
        assert each not in logged


# --- news ------------------------------------------------------------------------------------------------------------


async def events_of(client: httpx.AsyncClient, view: str, wanted: str) -> str:
    """Listen until this is said."""
    async with asyncio.timeout(20), client.stream("GET", "/events", params={"view": view}, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        said = ""
        async for piece in answer.aiter_text():
            said += piece
            if wanted in said:
                return said
    raise AssertionError(said)


async def test_who_looks_hears_of_a_change_that_somebody_else_makes(site: Site, store: Store) -> None:
    async with site.owner() as client:
        listening = asyncio.ensure_future(events_of(client, "accounts", "paused"))
        await events_of(client, "accounts", "bob")
        store.update_account(account("bob").key, enabled=False).result()
        assert "event: part" in await listening


async def test_who_looks_hears_of_turns_as_they_go(site: Site) -> None:
    async with site.owner() as client:
        listening = asyncio.ensure_future(events_of(client, "turns", "shop"))
        await events_of(client, "turns", "No turn is under way")
        site.live.append(LiveTurn(id="1", began=clock.now(), project="shop"))
        assert "shop" in await listening


async def test_only_views_that_change_have_news(site: Site) -> None:
    async with site.owner() as client:
        for view in ("usage", "findings", "", "x"):
            assert (await client.get("/events", params={"view": view})).status_code == 403


# --- machines --------------------------------------------------------------------------------------------------------


async def test_numbers_are_for_who_shows_the_token(site: Site) -> None:
    async with site.client() as client:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {page_token.own_token()}"}):
            assert (await client.get("/metrics", headers=headers)).status_code == 401
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {page_token.own_token()}"})
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "codex_rotate_turns_in_flight" in answer.text
    async with site.owner() as client:
        assert (await client.get("/metrics")).status_code == 200


async def test_whether_it_is_well_is_told_to_anybody_and_nothing_else(site: Site, store: Store) -> None:
    async with site.client() as client:
        for path in ("/healthz", "/readyz"):
            answer = await client.get(path)
            assert (answer.status_code, answer.text) == (200, "ok\n")
        for name in ("ann", "bob"):
            store.update_account(account(name).key, enabled=False).result()
        site.server.machines.health._known = None  # type: ignore[union-attr]
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "not ready\n")
