"""What the teller is given of a pool: as it is now, with what people have used and when the certificate ends."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy.certs import CertStore

from accounts.ledger.records import TokenCount, TurnRecord
from accounts.model import Standing
from accounts.notices.conditions import PoolLook
from accounts.people.budgets import Budgets, Measure, read_limits
from accounts.people.people import Person
from accounts.store.store import Store
from addons.exchange.service import PoolService
from addons.notify.notice_file import NoticeFile
from addons.notify.pool_notices import PoolNotices, end_of_certificate
from addons.notify.teller import NoticeTeller
from config import paths
from config.notify import NotifySettings
from config.times.time_zone import local_zone
from tests.builders import NOW, Clock, account, credentials, key_of

SETTINGS, CHANGED = NotifySettings(command=("true",)), NotifySettings(command=("false",))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolService]:
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(tmp_path / "home"))
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        store.put_account(account("a"), credentials("a")).result()
    opened = PoolService(path, Clock())
    yield opened
    opened.close()


def looked(notices: PoolNotices) -> PoolLook:
    """What is waiting for the teller's thread, which does not run here."""
    notices.teller = NoticeTeller(SETTINGS, NoticeFile(paths.notices_file()), notices.service.clock, local_zone)
    notices.teller._thread = threading.Thread()
    notices.look(CHANGED)
    assert notices.teller.wanted is CHANGED
    look = notices.teller._looks.get_nowait()
    assert look is not None
    return look


def test_a_look_sees_what_another_process_has_changed(service: PoolService, tmp_path: Path) -> None:
    notices = PoolNotices(service, lambda: tmp_path)
    with Store(service.store.path) as other:
        other.set_standing(key_of("a"), Standing.NEEDS_LOGIN).result()
    look = looked(notices)
    assert [each.account.standing for each in look.candidates] == [Standing.NEEDS_LOGIN]
    assert look.certificate_ends is None
    assert "access-of" not in repr(look)


def test_where_nobody_wants_to_be_told_nobody_looks(service: PoolService, tmp_path: Path) -> None:
    notices = PoolNotices(service, lambda: tmp_path)
    notices.look(None)
    assert notices.teller is None
    notices.close()


def test_a_look_knows_who_is_over_a_budget(service: PoolService, tmp_path: Path) -> None:
    limits = read_limits(Measure.TOKENS, "1k/day")
    service.store.people.put(Person(name="ann", budgets=Budgets(limits=limits))).result()
    service.reload()
    service.people.spending.add(TurnRecord(when=NOW, person="ann", tokens=TokenCount(input=1000)))
    assert list(looked(PoolNotices(service, lambda: tmp_path)).over) == ["ann"]


def test_the_end_of_the_certificate_is_read_from_the_file_beside_the_key(tmp_path: Path) -> None:
    CertStore.create_store(tmp_path, "mitmproxy", 2048)
    ends = end_of_certificate(tmp_path / "mitmproxy-ca-cert.pem")
    assert ends is not None
    assert ends > NOW
    (tmp_path / "broken.pem").write_text("no certificate")
    assert end_of_certificate(tmp_path / "broken.pem") is None
    assert end_of_certificate(tmp_path / "none.pem") is None
