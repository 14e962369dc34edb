"""What a previous answer's id stands for."""

from standin.model.chains import START, Chain, Chains

ONE, TWO, THREE = ({"id": name} for name in ("one", "two", "three"))


def test_a_history_grows_by_what_was_asked_and_answered() -> None:
    chains = Chains()
    chains.keep("resp_1", START.then([ONE]), [TWO])
    found = chains.find("resp_1")
    assert found is not None
    assert found.then([THREE]).whole == (ONE, TWO, THREE)
    assert found.whole == (ONE, TWO)


def test_without_an_id_a_history_begins() -> None:
    assert Chains().find(None) is START
    assert START.whole == ()


def test_an_id_that_was_never_kept_is_not_known() -> None:
    assert Chains().find("resp_1") is None
    assert Chains().find(1) is None


def test_a_long_chain_is_no_deep_one() -> None:
    chain: Chain = START
    for _ in range(20_000):
        chain = chain.then([ONE])
    assert len(chain.whole) == 20_000
