"""What `doctor` finds without asking anybody. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from addons.dashboard.views.frame import empty, facts
from addons.dashboard.views.html import Html, joined, tag
from addons.dashboard.views.words import sentence, time_of

LOOKS: Final = {"problem": "bad", "warning": "low", "note": "off", "ok": "good"}
HOW: Final = (
    "Nothing was asked of anybody for this. `codex-rotate doctor` also tries the way through the proxy; `codex-rotate "
    "doctor --fix` mends what can be mended without losing anything."
)
ORDER: Final = ("problem", "warning", "note", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """What is, how bad that is (`ok`, `note`, `warning`, `problem`), and what to do."""

    group: str
    state: str
    what: str
    remedy: str = ""


def findings_view(found: Sequence[ShownFinding] | None, at: float, now: float) -> Html:
    """By how bad they are. None: nobody can look here."""
    if found is None:
        return empty("This proxy was started without the commands. Run codex-rotate doctor.")
    counts = {state: sum(each.state == state for each in found) for state in ORDER}
    known = {
        "To mend": tag("strong", counts["problem"]),
        "Can wait": str(counts["warning"]),
        "Good to know": str(counts["note"]),
        "All right": str(counts["ok"]),
        "Looked at": time_of(at, now),
    }
    words = tag("p", sentence(HOW), class_="faint")
    items = [_finding(each) for state in ORDER for each in found if each.state == state]
    return joined([facts(known), words, tag("ul", items, class_="findings")])


def _finding(each: ShownFinding) -> Html:
    return tag(
        "li",
        tag("span", each.state, class_=f"state {LOOKS.get(each.state, 'off')}"),
        tag("div", tag("span", each.group, class_="faint"), tag("p", sentence(each.what)), _remedy(each.remedy)),
    )


def _remedy(text: str) -> Html | None:
    return tag("p", sentence(text), class_="remedy") if text else None
