"""The way out to the provider for a command: one question over the network, or all that accounts are asked."""

from collections.abc import Mapping, Sequence
from typing import Final

from accounts.model import Account
from accounts.policy import policy_of, stored_candidates
from accounts.provider import usage
from accounts.provider.checking import Checked, Checker, Further, check_each
from accounts.provider.usage import ProviderAnswer
from accounts.store.store import Store
from config import clock, paths
from config.network.outbound import way_to

ANSWER_SECONDS: Final = 15.0
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
    from config import settings  # late: pydantic

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


def get_over_http(url: str, headers: Mapping[str, str]) -> ProviderAnswer:
    """The real way out. Every failure to get an answer is an OSError that holds neither address nor header."""
    import httpx

    way = way_to(url)
    try:
        with way.client(ANSWER_SECONDS) as client:
            answer = client.get(url, headers=dict(headers))
    except httpx.HTTPError as e:
        raise OSError(way.failure(e)) from None
    fields = {name.lower(): value for name, value in answer.headers.items()}
    return ProviderAnswer(status=answer.status_code, headers=fields, body=answer.content)
