"""What holds for every choice, whatever the accounts, the request and the owner's wishes."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.cooldowns import resting
from accounts.choice.explanation import explain
from accounts.choice.outcomes import Kind, Rest
from accounts.choice.selection import (
    OURS,
    Ask,
    Candidate,
    Choice,
    Exhausted,
    Policy,
    Situation,
    Strategy,
    barred,
    choose,
    score,
)
from accounts.choice.threads import Placement
from accounts.model import Cooldown, Standing
from tests.builders import DAY, NOW, account, key_of, window

NAMES = "abcdef"
MODELS = st.sampled_from(["", "m", "n"])
OR_NOBODY = st.sampled_from(["", "", *(key_of(name) for name in "abcg")])
SETS = st.frozensets(st.sampled_from("mn"))

WINDOWS = st.lists(
    st.builds(
        window,
        st.floats(0, 100) | st.sampled_from([80.0, 95.0, 99.6, 100.0]),
        st.none() | st.floats(-DAY, 7 * DAY),
        minutes=st.sampled_from([300, 10_080]),
        family=st.sampled_from(["codex", "codex", "images"]),
    ),
    max_size=3,
    unique_by=lambda each: (each.family, each.minutes),
).map(tuple)
COOLDOWNS = st.none() | st.builds(
    Cooldown,
    until=st.floats(NOW - 100, NOW + 100),
    reason=st.sampled_from([*Kind, "unknown"]),
    since=st.just(NOW - 100),
)
ACCOUNTS = st.builds(
    account,
    st.sampled_from(NAMES),
    standing=st.sampled_from([Standing.GOOD] * 5 + [*Standing]),
    enabled=st.integers(0, 4).map(bool),
    priority=st.integers(-1, 1),
    reserve_percent=st.sampled_from([0, 0, 20, 100]),
    plan=st.sampled_from(["", "plus", "pro", "unheard-of"]),
)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        account=ACCOUNTS,
        cooldown=COOLDOWNS,
        has_tokens=st.integers(0, 9).map(bool),
        windows=WINDOWS,
        in_flight=st.integers(0, 3),
        followed=st.integers(0, 6),
        turn=st.integers(0, 9),
        refuses=SETS,
        lists=st.none() | SETS,
    ),
    max_size=6,
    unique_by=lambda each: each.account.key,
).map(lambda candidates: {each.account.key: each for each in candidates})
ASKS = st.builds(
    Ask,
    model=MODELS,
    steady=st.booleans(),
    pin=OR_NOBODY,
    tried=st.frozensets(st.sampled_from([key_of(name) for name in NAMES]), max_size=3),
)
SITUATIONS = st.builds(
    Situation,
    now=st.just(NOW),
    ask=ASKS,
    place=st.builds(Placement, home=OR_NOBODY, detour=OR_NOBODY, owner=OR_NOBODY),
    policy=st.builds(
        Policy,
        strategy=st.sampled_from(Strategy),
        pin=OR_NOBODY,
        defer_percent=st.sampled_from([95.0, 50.0, 100.0]),
        drop_compaction=st.booleans(),
    ),
)


@given(candidates=CANDIDATES, about=SITUATIONS)
def test_a_barred_account_is_never_chosen_and_a_free_one_never_passed_over(
    candidates: dict[str, Candidate], about: Situation
) -> None:
    answer = choose(candidates, about)
    bars = {each.account.label: barred(each, about) for each in candidates.values()}
    if isinstance(answer, Choice):
        assert bars[answer.account.label] is None
        assert answer.account == candidates[answer.account.key].account
    else:
        pin = about.ask.pin or about.policy.pin
        stranger = {pin: "there is no such account"} if pin not in {"", *candidates} else {}
        assert {label: bar.text for label, bar in bars.items() if bar is not None} | stranger == answer.reasons
        assert answer.reasons.keys() == bars.keys() | stranger.keys()


def untried(about: Situation) -> Situation:
    return replace(about, ask=replace(about.ask, tried=frozenset()))


@given(candidates=CANDIDATES, about=SITUATIONS, part=st.floats(0, 0.999))
def test_nobody_returns_before_the_time_that_is_told_and_then_somebody_does(
    candidates: dict[str, Candidate], about: Situation, part: float
) -> None:
    about = untried(about)
    answer = choose(candidates, about)
    if isinstance(answer, Exhausted):
        end = answer.resets_at if answer.resets_at is not None else NOW + 1000 * DAY
        assert end > NOW
        assert not answer.limited or answer.resets_at is not None
        assert isinstance(choose(candidates, replace(about, now=NOW + (end - NOW) * part)), Exhausted)
        assert isinstance(
            choose(candidates, replace(about, now=end)), Exhausted if answer.resets_at is None else Choice
        )


@given(candidates=CANDIDATES, about=SITUATIONS)
def test_a_rule_is_named_when_the_pools_rules_are_all_that_stands_in_the_way(
    candidates: dict[str, Candidate], about: Situation
) -> None:
    """That a model is not for everybody explains nothing when others are at their limits."""
    answer = choose(candidates, about)
    if isinstance(answer, Exhausted):
        lawless = {
            key: replace(each, account=replace(each.account, reserve_percent=0), refuses=frozenset())
            for key, each in candidates.items()
        }
        anarchy = replace(
            about,
            ask=replace(about.ask, pin=""),
            policy=replace(about.policy, pin=""),
            place=replace(about.place, owner=""),
        )
        found = choose(lawless, anarchy)
        assert answer.rule in {"", *OURS}
        assert not answer.rule or isinstance(found, Choice)
        assert answer.rule or answer.limited or isinstance(found, Exhausted)


@given(candidates=CANDIDATES, about=SITUATIONS)
@settings(deadline=None)
def test_a_tired_account_is_chosen_for_its_own_threads_or_when_all_others_are_tired_or_barred(
    candidates: dict[str, Candidate], about: Situation
) -> None:
    answer = choose(candidates, about)
    if isinstance(answer, Choice) and answer.account.key not in {about.place.home, about.place.detour}:
        tired = {key: resting(each.cooldown, NOW) is Rest.SOFT for key, each in candidates.items()}
        assert not tired[answer.account.key] or all(
            tired[key] or barred(each, about) is not None for key, each in candidates.items()
        )


@given(candidates=CANDIDATES, about=SITUATIONS)
def test_an_explanation_says_what_is_chosen(candidates: dict[str, Candidate], about: Situation) -> None:
    explanation = explain(candidates, about)
    assert explanation.choice == choose(candidates, about)
    assert {each.candidate.account.key for each in explanation.assessments} == candidates.keys()
    for each in explanation.assessments:
        assert each.barred == barred(each.candidate, about)
        assert (each.barred is None) == (each.rank is not None)
        assert each.score == score(each.candidate, NOW) >= 0
    if isinstance(explanation.choice, Choice):
        assert explanation.assessments[0].candidate.account == explanation.choice.account
        assert explanation.choice.why
    else:
        assert all(each.barred is not None for each in explanation.assessments)


@given(candidates=CANDIDATES, about=SITUATIONS, data=st.data())
@settings(deadline=None)
def test_the_choice_does_not_depend_on_the_order_of_the_accounts(
    candidates: dict[str, Candidate], about: Situation, data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(candidates.items()))))
    assert choose(shuffled, about) == choose(candidates, about)
    assert explain(shuffled, about) == explain(candidates, about)


@given(candidates=CANDIDATES, about=SITUATIONS)
@settings(deadline=None)
def test_who_is_chosen_does_not_depend_on_those_who_cannot_serve(
    candidates: dict[str, Candidate], about: Situation
) -> None:
    free = {key: each for key, each in candidates.items() if barred(each, about) is None}
    if free:
        alone, among_all = choose(free, about), choose(candidates, about)
        assert isinstance(alone, Choice)
        assert isinstance(among_all, Choice)
        assert alone.account == among_all.account


@given(candidates=CANDIDATES, about=SITUATIONS)
@settings(deadline=None)
def test_a_request_that_was_everywhere_finds_nobody(candidates: dict[str, Candidate], about: Situation) -> None:
    everywhere = replace(about, ask=replace(about.ask, tried=frozenset(candidates)))
    assert isinstance(choose(candidates, everywhere), Exhausted)
