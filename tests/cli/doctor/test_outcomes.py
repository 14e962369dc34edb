"""What an answer through the proxy means. Every row says what is and what to do."""

from cli.doctor import outcomes
from cli.doctor.outcomes import CODES, STATUSES
from cli.doctor.probe import UNTRUSTED, Probe, ProbeReply
from cli.doctor.tls import ShownCertificate
from tests.builders import NOW
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, only, short
from tests.rows import all_rows


@all_rows(
    ("reply", "state", "said"),
    [
        (ProbeReply(status=200, seconds=0.25), OK, "in 0.2 s"),
        (ProbeReply(status=401), PROBLEM, "refused the account's token"),
        (ProbeReply(status=403), PROBLEM, "let the account not through"),
        (ProbeReply(status=407), PROBLEM, "client key"),
        (ProbeReply(status=429), WARNING, "fewer requests"),
        (ProbeReply(status=429, code="usage_limit_reached"), WARNING, "at its limit"),
        (ProbeReply(status=400, code="codex_rotate_no_account"), PROBLEM, "no account of the pool"),
        (ProbeReply(status=400, code="codex_rotate_signed_out"), PROBLEM, "signed out"),
        (ProbeReply(status=502, code="codex_rotate_upstream_unreachable"), PROBLEM, "got no answer from the provider"),
        (ProbeReply(status=503, code="codex_rotate_defect"), PROBLEM, "defect"),
        (ProbeReply(status=503), WARNING, "trouble of its own"),
        (ProbeReply(status=400, code="odd"), WARNING, "not expected"),
        (ProbeReply(status=302), WARNING, "not expected"),
        (ProbeReply(status=0, code="ReadTimeout"), PROBLEM, "no answer came"),
        (ProbeReply(status=0, code=UNTRUSTED), PROBLEM, "not the one that clients are told to trust"),
    ],
)
def test_the_list_of_models(reply: ProbeReply, state: object, said: str) -> None:
    found = only(outcomes.catalogue(Probe(catalogue=reply)))
    assert (found.state, said in found.what) == (state, True), found.what


def test_a_certificate_that_the_proxy_refuses_is_told_as_that() -> None:
    """Not as a network that does not answer."""
    reply = ProbeReply(
        status=502, code="codex_rotate_upstream_unreachable", tls="unable to get local issuer certificate"
    )
    probe = Probe(
        catalogue=reply, socket=reply, shown=ShownCertificate(issuer="Example Corp Root"), settings="ca/config.yaml"
    )
    for found in (only(outcomes.catalogue(probe)), only(outcomes.socket(probe))):
        assert found.state is PROBLEM
        assert "TLS to the provider fails: the certificate that is shown, issued by Example Corp Root," in found.what
        assert "in ca/config.yaml for the proxy" in found.remedy
        assert "network" not in found.what


@all_rows(("status", "state"), [(101, OK), (426, NOTE), (200, WARNING), (401, PROBLEM), (503, WARNING), (0, PROBLEM)])
def test_the_websocket(status: int, state: object) -> None:
    assert only(outcomes.socket(Probe(socket=ProbeReply(status=status)))).state is state


def test_a_websocket_that_the_proxy_itself_accepts_proves_little() -> None:
    """With every account at its limit the proxy takes the upgrade, to tell the limit inside."""
    found = only(outcomes.socket(Probe(catalogue=ProbeReply(status=429), socket=ProbeReply(status=101))))
    assert (found.state, "was not asked" in found.what) == (OK, True)


def test_who_was_asked_is_named() -> None:
    reply = ProbeReply(status=200, trail=("ann usage limit", "bob ok"))
    assert "ann usage limit, then bob ok" in only(outcomes.catalogue(Probe(catalogue=reply))).what


@all_rows(
    ("skew", "state", "said"),
    [(0, OK, "is right"), (-119, OK, "is right"), (180, PROBLEM, "3 min ahead"), (-86_400, PROBLEM, "24 h behind")],
)
def test_the_clock(skew: float, state: object, said: str) -> None:
    reply = ProbeReply(status=200, date=NOW, at=NOW + skew)
    found = only(outcomes.clock(Probe(catalogue=reply)))
    assert (found.state, said in found.what) == (state, True)


def test_without_an_answer_nothing_is_said() -> None:
    nothing = Probe(skipped="Nothing was tried. Do this.")
    assert short(outcomes.reached(nothing)) == [("probe.proxy", NOTE)]
    assert [
        *outcomes.catalogue(nothing),
        *outcomes.socket(nothing),
        *outcomes.clock(nothing),
    ] == []
    assert short(outcomes.clock(Probe(catalogue=ProbeReply(status=200)))) == []
    assert only(outcomes.reached(Probe(skipped="It did not start. Mend it.", broken=True))).state is PROBLEM


def test_which_proxy_it_was() -> None:
    assert "was started" in only(outcomes.reached(Probe(where="http://127.0.0.1:1", started=True))).what
    assert short(outcomes.reached(Probe(where="http://127.0.0.1:1"))) == [("probe.proxy", OK)]


def test_every_row_has_a_remedy() -> None:
    for state, meaning, remedy in (*CODES.values(), *STATUSES.values()):
        assert state in {WARNING, PROBLEM}
        assert meaning
        assert remedy.endswith(".")


def test_the_codes_are_those_of_the_proxy() -> None:
    """Every code of ours that a refusal can carry has a row."""
    from accounts.choice.selection import Exclusion
    from accounts.people.keys import Refusal
    from addons.exchange.answering import refusals
    from addons.wire import answers
    from tests.harness import ROOT

    text = (ROOT / "addons" / "wire" / "answers.py").read_text()
    ours = {code for code in CODES if code.startswith("codex_rotate_")}
    refused = {refusals.kind(why) for why in Refusal}
    assert {f"codex_rotate_{rule}" for rule in answers.RULES} | refused <= ours
    others = ours - refused
    assert all(f'"{code}"' in text or code.removeprefix("codex_rotate_") in set(Exclusion) for code in others)
