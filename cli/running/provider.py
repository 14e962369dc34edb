"""All that a command asks the provider about accounts."""

from collections.abc import Sequence
from typing import Final

from accounts.model import Account
from accounts.policy import policy_of, stored_candidates
from accounts.provider import usage
from accounts.provider.asking import get_over_http
from accounts.provider.checking import Checked, Checker, Further, check_each
from accounts.store.store import Store
from config import clock, paths

UNSAVED: Final = (
    "The new tokens of {label} could not be stored and are lost with this command. Mend the disk, then run "
    "`codex-rotate login` for that account."
)


def ask_provider(
    store: Store,
    accounts: Sequence[Account],
    *,
    dry_run: bool = False,
    quiet: bool = False,
    further: Further | None = None,
) -> tuple[list[Checked], tuple[str, ...]]:
    """Ask about these accounts for real, with a progress bar unless `quiet`. Also gives a sentence for each account
    whose new tokens could not be stored. Raises UnsafeBackend and ConfigError before anything is asked."""
    from accounts.codex_files.client_files import Writer, places
    from accounts.codex_files.home_login import HomeLogin
    from accounts.tokens.refresh import Refresher
    from cli.ui.progress import progress
    from config import settings  # late: msgspec

    in_force = settings.load()
    url = usage.usage_url(in_force.chatgpt_base_url)
    policy = policy_of(in_force, stored_candidates(store), store.chosen_account())
    home_login = HomeLogin(store, places(), Writer(pause=clock.pause), clock.now)
    refresher = Refresher(store, paths.locks_folder(), clock.now, co_owner=home_login)
    renew = None if dry_run else refresher.renew_now
    checker = Checker(
        store=store, url=url, get=get_over_http, renew=renew, further=further, policy=policy, clock=clock.now
    )
    try:
        with progress("Asking the provider", len(accounts), quiet=quiet) as answered:
            checked = check_each(checker, accounts, answered)
    finally:
        refresher.close()
    unsaved = tuple(UNSAVED.format(label=each.label) for each in accounts if each.key in refresher.unsaved)
    return checked, unsaved
