"""Looks at the pool for what somebody is to be told. It is on the proxy's loop, as the pool is, and only takes along
what is there: the teller's thread judges it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from mitmproxy.certs import Cert

from accounts.notices.conditions import PoolLook
from accounts.notices.over_budget import over_budget
from accounts.people import fair_share
from addons.exchange.service import PoolService
from addons.notify.notice_file import NoticeFile
from addons.notify.teller import NoticeTeller
from config import paths
from config.notify import NotifySettings
from config.times.time_zone import local_zone

CERTIFICATE: Final = "mitmproxy-ca-cert.pem"
"""In mitmproxy's confdir: a copy of what it signs with since it has started."""


class PoolNotices:
    """One per proxy. It begins with the first look for which somebody wants to be told."""

    def __init__(self, service: PoolService, confdir: Callable[[], Path]) -> None:
        self.service = service
        self.confdir = confdir
        self.certificate_ends: float | None = None
        self.teller: NoticeTeller | None = None

    def look(self, wanted: NotifySettings | None) -> None:
        """Have the teller look at the pool as it is now, if somebody is to be told."""
        if wanted is None:
            return
        service = self.service
        if self.teller is None:
            self.certificate_ends = end_of_certificate(self.confdir() / CERTIFICATE)
            self.teller = NoticeTeller(wanted, NoticeFile(paths.notices_file()), service.clock, local_zone)
        self.teller.wanted = wanted
        service.sync()
        now, pool = service.clock(), service.pool
        people = service.people.registry.people.values()
        shares = any(each.budgets.share for each in people)
        level = fair_share.level(pool.candidates.values(), now) if shares else None
        self.teller.offer(
            PoolLook(
                candidates=tuple(pool.candidates.values()),
                policy=pool.policy,
                logins=dict(pool.tokens),
                over=over_budget(people, service.people.spending, level, now),
                certificate_ends=self.certificate_ends,
            )
        )

    def close(self) -> None:
        """The proxy ends."""
        if self.teller is not None:
            self.teller.close()


def end_of_certificate(file: Path) -> float | None:
    """In seconds since the epoch; None where there is none that can be read."""
    try:
        return Cert.from_pem(file.read_bytes()).notafter.timestamp()
    except (OSError, ValueError):
        return None
