"""What the log says of accounts: each failure to who looks closely, and to the owner what only the owner can mend."""

import logging
import shlex
from collections.abc import Iterable

from accounts.choice.outcomes import Kind, Outcome
from accounts.errors import LoginNeeded
from accounts.model import Account, Credentials, Standing
from accounts.provider.standings import reason_of
from accounts.tokens import endings
from accounts.tokens.lifetime import serves_until
from config.times.local_time import clock_time

logger = logging.getLogger(__name__)


class AccountNotices:
    """Says it once for each account and standing."""

    def __init__(self) -> None:
        self._out_of_service: dict[str, Standing] = {}

    def failed(self, account: Account, outcome: Outcome) -> None:
        """An attempt has failed: a line for who looks closely, and for the owner if the account is lost by it."""
        level = logging.WARNING if outcome.kind is Kind.PROXY_FAILED else logging.DEBUG  # no account can mend that
        logger.log(level, "codex-rotate: %s: %s (%s)", account.label, outcome.kind, outcome.detail)
        if outcome.rule.standing is not None:
            self.needs_owner(account, outcome.rule.standing, reason_of(outcome))

    def ends(self, account: Account, login: Credentials | None, reason: str, now: float) -> None:
        """An account's login cannot be renewed any more, and serves until its access token ends."""
        until = serves_until(login, now) if login is not None else None
        if until is None:
            return  # it is over already, and that is told
        logger.warning(
            "codex-rotate: %s cannot be renewed any more: %s. It serves until %s, then needs a login: run "
            "`codex-rotate login` with that account.",
            account.label,
            endings.in_words(reason),
            clock_time(until, now),
        )

    def needs_owner(self, account: Account, standing: Standing, reason: str = "") -> None:
        """An account is out of service until its owner does something: say what."""
        if self._out_of_service.get(account.key) is standing:
            return
        self._out_of_service[account.key] = standing
        closed = (
            f"{account.label} was closed by the provider, and no login opens that again. Run "
            f"`codex-rotate remove {shlex.quote(account.label)}` if it will not come back."
        )
        told = closed if standing is Standing.DEACTIVATED else str(LoginNeeded(account.label, reason))
        logger.warning("codex-rotate: %s", told)

    def loaded(self, accounts: Iterable[Account]) -> None:
        """Of those that are well again, the next trouble is news."""
        for each in accounts:
            if each.standing is Standing.GOOD:
                self._out_of_service.pop(each.key, None)
