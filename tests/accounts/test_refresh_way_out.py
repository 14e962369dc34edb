"""The way out of a refresh: when a token is said to leave, and what is told when no answer came."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from accounts.store.store import Store
from accounts.tokens import refresh
from accounts.tokens.oauth import refresh_body
from accounts.tokens.refresh import Refresher, post_json
from standin import StandIn
from tests.accounts.tokens.talking import saying
from tests.builders import NOW, account, credentials, key_of, token
from tests.corporate import Corporate, Trouble

A = key_of("a")


def never() -> None:
    raise AssertionError("nothing may leave")


def test_a_lost_connection_is_told_without_address_or_body() -> None:
    secret = token(sub="nobody")
    with pytest.raises(OSError, match=r"^ConnectError at the token endpoint$") as told:
        post_json(f"http://127.0.0.1:1/?{secret}", {"refresh_token": secret}, never)
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__


@pytest.mark.parametrize("url", ["127.0.0.1/token", "ftp://127.0.0.1/token", ""])
def test_an_address_that_is_none_is_told_like_a_lost_connection(url: str) -> None:
    with pytest.raises(OSError, match="UnsupportedProtocol"):
        post_json(url, {}, never)


def test_an_address_that_cannot_be_read_is_told_like_a_lost_connection() -> None:
    with pytest.raises(OSError, match="InvalidURL"):
        post_json("http://127.0.0.1:port/token", {}, never)


@pytest.fixture
def upstream() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


def test_it_is_said_that_a_token_leaves_before_it_arrives_anywhere(upstream: StandIn) -> None:
    seen = []
    login = upstream.add_account("acc-1")
    body = refresh_body(credentials("a", refresh=login.refresh_token), "proactive_expiry")
    status, _ = post_json(upstream.token_url, body, lambda: seen.append(len(upstream.refreshes)))
    assert (status, seen, len(upstream.refreshes)) == (200, [0], 1)


def test_a_mark_that_cannot_be_written_keeps_the_token_here(upstream: StandIn) -> None:
    def disk_full() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        post_json(upstream.token_url, {"refresh_token": "x"}, disk_full)
    assert not upstream.requests_to("/oauth/token")


CUT: Final = b"HTTP/1.1 %d x\r\ncontent-length: 99\r\n\r\n{"
UNREADABLE: Final = b"HTTP/1.1 %d x\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\noops"


@pytest.mark.parametrize("said", [CUT, UNREADABLE])
@pytest.mark.parametrize("status", [400, 401, 429, 502])
def test_a_refusal_whose_words_cannot_be_read_is_an_answer(said: bytes, status: int) -> None:
    with saying(said % status) as url:
        assert post_json(url, {}, lambda: None) == (status, b"")


@pytest.mark.parametrize("said", [CUT, UNREADABLE])
def test_new_tokens_that_cannot_be_read_are_a_lost_answer(said: bytes) -> None:
    with saying(said % 200) as url, pytest.raises(OSError, match=r"(RemoteProtocol|Decoding)Error at the token"):
        post_json(url, {}, lambda: None)


# --- the way out, with a company's proxy in it -----------------------------------------------------------------------

REAL = "https://auth.openai.com/oauth/token"


@pytest.fixture
def corporate(upstream: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corporate]:
    """Everything but this machine is reached through it."""
    with Corporate({443: upstream.port}, "ann", "right") as proxy:
        monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", proxy.url("ann", "right"))
        monkeypatch.setenv("SSL_CERT_FILE", str(upstream.ca_file))
        yield proxy


def test_a_token_goes_through_the_company_s_proxy(upstream: StandIn, corporate: Corporate) -> None:
    """It is said to leave once, when the tunnel is there, and before it arrives anywhere."""
    seen = []
    login = upstream.add_account("acc-1")
    body = refresh_body(credentials("a", refresh=login.refresh_token), "proactive_expiry")
    status, _ = post_json(REAL, body, lambda: seen.append((corporate.targets(), len(upstream.refreshes))))
    assert (status, seen) == (200, [(["auth.openai.com:443"], 0)])


@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_tunnel_that_does_not_come_about_leaves_the_token_here(
    corporate: Corporate, monkeypatch: pytest.MonkeyPatch, trouble: Trouble
) -> None:
    monkeypatch.setattr(refresh, "ANSWER_SECONDS", 0.3)
    corporate.trouble = trouble
    with pytest.raises(OSError, match=f"the proxy 127.0.0.1:{corporate.port}.* at the token endpoint"):
        post_json(REAL, {"refresh_token": "x"}, never)
    assert corporate.targets() == ["auth.openai.com:443"]


@pytest.mark.parametrize("url", ["http://ann:s3cret@127.0.0.1:{port}", "http://ann:s3cret@127.0.0.1:1"])
def test_wrong_credentials_and_a_proxy_that_is_not_there_leave_the_token_here(
    corporate: Corporate, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", url.format(port=corporate.port))
    with pytest.raises(OSError, match=r"the proxy 127\.0\.0\.1:") as told:
        post_json(REAL, {"refresh_token": "x"}, never)
    assert "s3cret" not in str(told.value)


def test_the_other_end_s_certificate_is_checked_before_the_token_leaves(
    corporate: Corporate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OSError, match=r"TLS failed behind the proxy .*SSL_CERT_FILE"):
        post_json(REAL, {"refresh_token": "x"}, never)


def test_plain_http_through_a_proxy_is_a_token_that_leaves(
    corporate: Corporate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no tunnel: the request itself goes to the proxy."""
    seen = []
    corporate.trouble = Trouble.CLOSE
    with pytest.raises(OSError, match=r"RemoteProtocolError|ReadError"):  # closed, or reset by what was not read
        post_json("http://tokens.example/oauth/token", {}, lambda: seen.append(len(corporate.asked)))
    assert seen == [0]


def test_settings_that_cannot_be_read_leave_the_token_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", "s3cret")
    with pytest.raises(OSError, match="CODEX_ROTATE_UPSTREAM_PROXY: must be an address") as told:
        post_json(REAL, {"refresh_token": "x"}, never)
    assert "s3cret" not in str(told.value)


def test_a_refused_tunnel_costs_no_login_and_the_next_try_renews(
    tmp_path: Path, upstream: StandIn, corporate: Corporate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_REFRESH_TOKEN_URL_OVERRIDE", REAL)
    login = upstream.add_account("acc-1")
    own = credentials("a", refresh=login.refresh_token)
    corporate.trouble = Trouble.REFUSE
    with Store(tmp_path / "home" / "pool.db") as store:
        seat = account("a", account_id=login.account_id, user_id=login.user_id)
        store.put_account(seat, own).result()
        refresher = Refresher(store, tmp_path / "locks", lambda: NOW, post_json)
        refused = refresher.renew_now(seat.key, own, "x")
        assert (refused.dead, refused.credentials) == (False, None)
        assert "the proxy" in refused.detail
        corporate.trouble = None
        assert refresher.renew_now(seat.key, own, "x").credentials == store.credentials(seat.key)
        refresher.close()
    assert len(upstream.refreshes) == 1
