"""Accounts whose token is refused again right after it was renewed: another renewal would bring the same. Pure."""

from dataclasses import dataclass, field

from accounts.model import Credentials
from accounts.tokens.lifetime import is_fresh
from accounts.tokens.schedule import aside_for


@dataclass(slots=True)
class Asides:
    """By the keys of accounts. Each is left alone for longer every time, and tried by whoever comes then."""

    _renewed: dict[str, str] = field(default_factory=dict, repr=False)
    """The access token that was won after a refusal."""
    _times: dict[str, tuple[int, float]] = field(default_factory=dict)
    """How often in a row an account was set aside, and until when."""

    def renewed(self, key: str, renewed: Credentials) -> None:
        """Its token was refused, and this is the new one."""
        self._renewed[key] = renewed.access

    def refused(self, key: str, login: Credentials, now: float) -> float | None:
        """Its token is refused: until when the account is set aside, None when a renewal may help."""
        if self._renewed.get(key) != login.access or not is_fresh(login, now):
            return None
        times, until = self._times.get(key, (0, 0.0))
        if now < until:
            return until
        if now > until + aside_for(times):  # it was well for a while
            times = 0
        until = now + aside_for(times + 1)
        self._times[key] = (times + 1, until)
        return until
