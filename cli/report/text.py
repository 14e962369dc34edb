"""A report as text that can be pasted anywhere."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from accounts.choice.quota import window_name
from cli.ui.bars import in_percent
from cli.ui.lines import wrapped
from config.times.local_time import clock_time

HEAD: Final = "codex-rotate report of {made_at}. Accounts are numbers, and no token, key or e-mail is in it."
UNREAD: Final = "cannot be looked at; see the findings"


def in_words(data: Mapping[str, Any], now: float, width: int = 0) -> str:
    """The report as text that can be pasted anywhere, in lines of `width` columns (0: as they come)."""
    sections = {
        "Versions": _versions(data["versions"]),
        "Settings": _settings(data["settings"]),
        "Accounts": _accounts(data["accounts"], data["chosen"], now) if data["pool_read"] else [UNREAD],
        "Proxies": _proxies(data["proxies"]) if data["proxies_seen"] else [UNREAD],
        "Requests": _requests(data, now) if data["pool_read"] else [UNREAD],
        "Findings": _findings(data["findings"]),
    }
    lines = wrapped("", HEAD.format(made_at=data["made_at"]), width, 0)
    for name, found in sections.items():
        lines += ["", name, *(part for line in found for part in wrapped("  ", line, width))]
    return "\n".join(lines)


def _versions(found: Mapping[str, Any]) -> list[str]:
    names = {"codex_rotate": "codex-rotate", "python": "Python", "mitmproxy": "mitmproxy", "sqlite": "SQLite"}
    shown = [f"{name} {found[key] or 'missing'}" for key, name in {**names, "codex": "codex"}.items()]
    return [", ".join(shown), " ".join(found[key] for key in ("system", "release", "machine"))]


def _settings(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return ["cannot be used; see the findings"]
    given = [
        f"{key} = {each['value']} ({each['source']})" for key, each in found.items() if each["source"] != "default"
    ]
    return given or ["all as they are by themselves"]


def _accounts(found: Sequence[Mapping[str, Any]], chosen: str | None, now: float) -> list[str]:
    lines = []
    for each in found:
        used = ", ".join(
            f"{window_name(w['minutes'])} {in_percent(w['used_percent']).strip()}" for w in each["windows"]
        )
        parts = (each["account"], each["plan"], each["state_in_words"], used)
        lines.append("  ".join(filter(None, parts)))
    if chosen:
        lines.append(f"Chosen for every client: {chosen}")
    return lines or ["none"]


def _proxies(found: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [f"{each['url']} (process {each['pid']}, {each['version']}, certificate {each['signs']})" for each in found]
    return told or ["none runs"]


def _requests(data: Mapping[str, Any], now: float) -> list[str]:
    counted = data["requests"]
    if not counted["requests"]:
        return ["none in the history"]
    lines = [f"{counted['requests']} since {clock_time(counted['since'], now)}, rotations: {counted['rotations']}"]
    for each in data["decisions"]:
        went = " → ".join(f"{a['account']} {a['outcome'].replace('_', ' ')}" for a in each["attempts"])
        said = f"{went or 'nobody was asked'}; {each['done']} after {each['seconds']:.1f} s"
        lines.append("  ".join(filter(None, (clock_time(each["at"], now), each["model"], said))))
    return lines


def _findings(found: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = Counter(each["state"] for each in found)
    told = [f"{each['state']}: {each['what']} {each['remedy']}".rstrip() for each in found if each["state"] != "ok"]
    return [*told, f"ok: {counts['ok']} others."]
