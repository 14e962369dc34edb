"""Commands of our own in mitmproxy's palette (`:` in the console, the command bar in mitmweb)."""

from collections.abc import Callable, Sequence

from mitmproxy import command, ctx, exceptions, flow, http

from accounts.choice import quota
from accounts.choice.pool import key_named
from accounts.choice.selection import Seat, Situation
from accounts.model import Account, Credentials
from accounts.states import in_words, tell
from addons.exchange.service import PoolService
from addons.recording import annotations, story
from addons.startup import Startup
from config import clock


def _command[F](name: str) -> Callable[[F], F]:
    """mitmproxy's decorator, which has no types."""
    made: Callable[[F], F] = command.command(name)
    return made


class Palette:
    """What a person who watches the traffic wants to know of the pool and to change in it."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup

    @_command("rotate.accounts")
    def accounts(self) -> Sequence[str]:
        """The accounts of the pool, one a line: state, and how much of each quota window is used."""
        service = self._service()
        chosen = service.store.chosen_account()
        seats = sorted(service.pool.seats.values(), key=lambda seat: seat.account.label)
        about = Situation(now=clock.now(), policy=service.pool.policy)
        return [
            line(seat, about, service.pool.tokens.get(seat.account.key), chosen=seat.account.key == chosen)
            for seat in seats
        ]

    @_command("rotate.use")
    def use(self, account: str) -> None:
        """Let only this account serve, for everybody, until changed. "auto" lets the pool choose again."""
        key = "" if account == "auto" else self._named(account).key
        self._service().store.choose_account(key).result()
        self._service().reload()

    @_command("rotate.pause")
    def pause(self, account: str) -> None:
        """Take an account out of the pool for a while; one that is paused comes back."""
        found = self._named(account)
        self._service().store.update_account(found.key, enabled=not found.enabled).result()
        self._service().reload()

    @_command("rotate.clear")
    def clear(self, account: str) -> None:
        """End an account's rest: it is asked again with the next request."""
        self._service().store.clear_cooldown(self._named(account).key).result()
        self._service().reload()

    @_command("rotate.why")
    def why(self, flows: Sequence[flow.Flow]) -> Sequence[str]:
        """Why each account was asked for these flows, and what came of it."""
        mine, now = [one for one in flows if isinstance(one, http.HTTPFlow)], clock.now()
        if ctx.master.addons.get("webaddon") is not None:
            told = [each for one in mine if (each := story.sentence(one, now))]
        else:
            told = [each for one in mine for each in story.rows(one, now)]
        return told or ["codex-rotate did not serve these flows from the pool."]

    def _service(self) -> PoolService:
        if self.startup.service is None:
            raise exceptions.CommandError("codex-rotate: the pool is not open.")
        self.startup.service.sync(at_once=True)
        return self.startup.service

    def _named(self, name: str) -> Account:
        pool = self._service().pool
        seat = pool.seats.get(key_named(pool.seats, name))
        if seat is None:
            known = ", ".join(sorted(each.account.label for each in pool.seats.values()))
            raise exceptions.CommandError(f"codex-rotate: there is no account {name!r}. The accounts are: {known}.")
        return seat.account


def line(seat: Seat, about: Situation, login: Credentials | None, *, chosen: bool) -> str:
    """One account: `* work (plus): ready, 5 h 40 %, 7 d 12 %`."""
    account, now = seat.account, about.now
    state = in_words(tell(seat, about, login), now)
    main = [each for each in seat.windows if each.family == quota.MAIN]
    windows = [f"{quota.window_name(each.minutes)} {quota.used(each, now):.0f} %" for each in main]
    plan = f" ({account.plan})" if account.plan else ""
    return f"{'* ' if chosen else ''}{account.label}{plan}: {', '.join([state, *windows])}"


class KeptFlows:
    """Bounds what mitmweb and the console keep: they would keep every flow of a day."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup

    def requestheaders(self, _: http.HTTPFlow) -> None:
        view = ctx.master.addons.get("view")
        most = self.startup.chosen.rotate_keep_flows
        if view is None or most <= 0:
            return
        surplus = view.store_count() - most
        if surplus > 0:
            every = ctx.master.commands.call("view.flows.resolve", "@all")  # oldest first
            view.remove([each for each in every if not each.live and not _wanted(each)][:surplus])


def _wanted(one: flow.Flow) -> bool:
    """Whether somebody has marked it; our own marks do not count."""
    return bool(one.marked) and one.marked not in {annotations.ROTATED, annotations.FAILED}
