"""Commands of our own in mitmproxy's palette (`:` in the console, the command bar in mitmweb)."""

from collections.abc import Callable, Sequence

from mitmproxy import command, ctx, exceptions, flow, http

from accounts.choice import quota
from accounts.errors import AmbiguousAccount, UnknownAccount
from accounts.model import Account
from accounts.owner import changes, only_account
from accounts.owner.names import find_account
from accounts.owner.rests import end_rest
from accounts.states import in_words
from accounts.views.account_list import AccountRow, rows, set_by_owner, states_in, window_label
from addons.exchange.service import PoolService
from addons.recording import annotations, story
from addons.startup import Startup
from config import clock


def _command[F](name: str) -> Callable[[F], F]:
    """mitmproxy's decorator, which has no types."""
    made: Callable[[F], F] = command.command(name)
    return made


class PoolCommands:
    """What a person who watches the traffic wants to know of the pool and to change in it."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup

    @_command("rotate.accounts")
    def accounts(self) -> Sequence[str]:
        """The accounts of the pool, one a line: state, and how much of each quota window is used."""
        service, now = self._service(), clock.now()
        chosen = service.store.chosen_account()
        pool = service.pool
        return [line(each, now) for each in rows(pool.candidates.values(), states_in(pool, now), now, chosen=chosen)]

    @_command("rotate.use")
    def use(self, account: str) -> None:
        """Let only this account serve, for everybody, until changed. "auto" lets the pool choose again."""
        store = self._service().store
        if account == "auto":
            only_account.choose_nobody(store, clock.now())
        else:
            only_account.choose_account(store, self._named(account).key, clock.now())
        self._service().reload()

    @_command("rotate.pause")
    def pause(self, account: str) -> None:
        """Take an account out of the pool for a while; one that is paused comes back."""
        found = self._named(account)
        changes.set_enabled(self._service().store, [found.key], enabled=not found.enabled, now=clock.now())
        self._service().reload()

    @_command("rotate.clear")
    def clear(self, account: str) -> None:
        """End an account's rest: it is asked again with the next request."""
        found, store = self._named(account), self._service().store
        rest = store.cooldowns().get(found.key)
        if rest is not None:
            end_rest(store, found, rest, "by hand", clock.now())
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
        accounts = [candidate.account for candidate in self._service().pool.candidates.values()]
        try:
            return find_account(accounts, name)
        except UnknownAccount:
            known = ", ".join(each.label for each in accounts)
            told = f"codex-rotate: there is no account {name!r}. The accounts are: {known}."
            raise exceptions.CommandError(told) from None
        except AmbiguousAccount as e:
            raise exceptions.CommandError(f"codex-rotate: {e}") from None


def line(row: AccountRow, now: float) -> str:
    """One account: `* work (plus): ready, keeps 20 %, 5h 40 %, 7d 12 %`."""
    account = row.account
    windows = [f"{window_label(each)} {each.used_percent:.0f} %" for each in row.windows if each.family == quota.MAIN]
    plan = f" ({account.plan})" if account.plan else ""
    about = filter(None, [in_words(row.told, now), set_by_owner(account), *windows])
    return f"{'* ' if row.chosen else ''}{account.label}{plan}: {', '.join(about)}"


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
