"""What is set is what requests go by, from the moment on that it is set."""

import logging

import pytest
from mitmproxy.addons.dumper import Dumper
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.addons.stickyauth import StickyAuth
from mitmproxy.addons.stickycookie import StickyCookie
from mitmproxy.exceptions import OptionsError
from mitmproxy.test import taddons

from addons.options import MEANINGS, wrong_choice
from addons.startup import Startup, broken_promise
from addons.wire.routes import INTERCEPT


def test_what_nobody_has_set_is_as_the_documentation_says() -> None:
    startup = Startup()
    with taddons.context(startup) as context:
        assert {name: context.options.default(name) for name in MEANINGS} == {
            name: getattr(startup.chosen, name) for name in MEANINGS
        }


def test_a_change_counts_at_once() -> None:
    startup = Startup()
    with taddons.context(startup, Dumper()) as context:
        for name, value in (("rotate_transport", "sse"), ("rotate_redact", False), ("rotate_capture_limit", 7)):
            context.options.update(**{name: value})
            assert getattr(startup.chosen, name) == value
        context.options.update(flow_detail=4)
        assert startup.chosen.watched
        context.options.update(flow_detail=1)
        assert not startup.chosen.watched


def test_a_value_that_an_option_cannot_have_is_said() -> None:
    """mitmproxy takes any; while the proxy runs, what was set before stays."""
    startup = Startup()
    with taddons.context(startup) as context:
        context.options.update(rotate_transport="pigeon")
        assert wrong_choice(context.options) == "rotate_transport is 'pigeon', and can be auto or sse only."
        context.options.update(rotate_transport="sse")
        assert wrong_choice(context.options) == ""
        startup.settled.set()
        with pytest.raises(OptionsError, match="pigeon"):
            context.options.update(rotate_transport="pigeon")
        assert (context.options.rotate_transport, startup.chosen.rotate_transport) == ("sse", "sse")


@pytest.mark.parametrize(
    "change",
    [
        {"connection_strategy": "eager"},
        {"upstream_cert": True},
        {"proxy_debug": True},
        {"validate_inbound_headers": False},
        {"ssl_insecure": True},
        {"rotate_allow_insecure": True},
        {"websocket": False},
        {"stickyauth": ".*"},
        {"stickycookie": ".*"},
        {"allow_hosts": []},
    ],
)
def test_what_safety_leans_on_cannot_be_changed_while_the_proxy_runs(change: dict[str, object]) -> None:
    """As with `:set`, or in mitmweb: the change is refused with its reason, and what was set before stays."""
    startup = Startup()
    with taddons.context(startup, Proxyserver(), StickyAuth(), StickyCookie()) as context:
        held = {"connection_strategy": "lazy", "upstream_cert": False, "allow_hosts": [INTERCEPT]}
        context.options.update(**held)
        startup.settled.set()
        (name,) = change
        before = getattr(context.options, name)
        with pytest.raises(OptionsError, match=f"codex-rotate: {name} (stays|cannot be empty)"):
            context.options.update(**change)
        assert getattr(context.options, name) == before
        context.options.update(rotate_capture_limit=7)  # all else can be


def test_to_reset_all_options_leaves_what_safety_leans_on(caplog: pytest.LogCaptureFixture) -> None:
    """mitmproxy's `options.reset`, which takes no change back whatever an addon says."""
    startup = Startup()
    with taddons.context(startup, Proxyserver(), StickyAuth(), StickyCookie()) as context:
        context.options.update(
            connection_strategy="lazy", upstream_cert=False, allow_hosts=["chatgpt"], ssl_insecure=True
        )
        startup.settled.set()
        context.options.update(rotate_capture_limit=7)
        with caplog.at_level(logging.INFO):
            context.master.commands.execute("options.reset")
        now = context.options
        assert (now.connection_strategy, now.upstream_cert, now.allow_hosts) == ("lazy", False, [INTERCEPT])
        assert broken_promise(set(now.keys()), now) == ""
        assert (now.rotate_capture_limit, startup.chosen.rotate_capture_limit) == (2 << 20, 2 << 20)
    assert "connection_strategy=lazy, upstream_cert=False" in caplog.text
