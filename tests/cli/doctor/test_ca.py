"""The authority as `doctor` judges it; whether it is fit is decided in certs."""

from pathlib import Path

import pytest

from certs import ca as authority
from cli.doctor import ca
from cli.doctor.ca import Ca, Trusting, gather
from config import clock
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, only, short

FOLDER = Path("/h/ca")
FINE = Ca(folder=FOLDER, can_vouch_for=("chatgpt.com",), key_mode=0o600)


def test_a_usable_one() -> None:
    assert short(ca.usable(FINE)) == [("ca.usable", OK)]
    assert "chatgpt.com only" in only(ca.usable(FINE)).what
    assert short(ca.expiry(FINE)) == [("ca.expiry", OK)]


@pytest.mark.parametrize(
    ("condition", "state"), [("missing", NOTE), ("damaged", PROBLEM), ("unconstrained", PROBLEM), ("", PROBLEM)]
)
def test_one_that_cannot_be_used(condition: str, state: object) -> None:
    """A missing one is made by whatever starts a proxy."""
    found = Ca(folder=FOLDER, condition=condition, trouble="It is bad. Run it again.")
    assert [each.state for each in ca.usable(found)] == [state]
    assert short(ca.expiry(found)) == []


def test_one_that_vouches_for_any_host() -> None:
    assert only(ca.usable(Ca(folder=FOLDER))).state is PROBLEM


def test_one_that_is_due() -> None:
    found = only(ca.expiry(Ca(folder=FOLDER, due=True, days_left=12)))
    assert (found.state, "12 more days" in found.what) == (WARNING, True)


def test_a_key_that_was_open_is_told() -> None:
    sentence = "/k was open to others (0644) and is now its owner's only (0600). If somebody else may have read it, x."
    found = next(ca.usable(Ca(folder=FOLDER, repaired=(sentence,))))
    assert (found.state, found.remedy) == (WARNING, "If somebody else may have read it, x.")


def test_trust_stores() -> None:
    """Codex needs none; one that trusts what is no longer in use is worth a word."""

    def judged(*stores: Trusting) -> list[object]:
        return [state for _, state in short(ca.stores(Ca(folder=FOLDER, stores=stores)))]

    assert judged() == [OK]
    assert judged(Trusting(place="/s", trusts=None)) == [OK]
    assert judged(Trusting(place="/s", trusts=True)) == [NOTE]
    assert judged(Trusting(place="/s", trusts=False, others=1)) == [OK, WARNING]


def test_the_facts_of_a_real_one(home: Path) -> None:
    environ = {"CODEX_ROTATE_HOME": str(home)}
    assert gather(environ, clock.now()).condition == "missing"
    authority.create(home / "ca", clock.now())
    found = gather(environ, clock.now())
    assert (found.usable, found.key_mode, found.due) == (True, 0o600, False)
    assert found.can_vouch_for == authority.DOMAINS
    assert gather(environ, clock.now() + 340 * 86_400).due
    assert gather(environ, clock.now() + 400 * 86_400).condition == "expired"
    (home / "ca" / authority.KEY_FILE).write_text("nonsense")
    assert gather(environ, clock.now()).condition == "damaged"


def test_the_words_of_conditions_are_those_of_certs() -> None:
    assert {ca.USABLE, *ca.MENDABLE} <= {str(each) for each in authority.CertificateCondition}
