"""Hooks have the arguments that mitmproxy finds."""

from dataclasses import dataclass, fields
from typing import Any

import pytest
from mitmproxy import hooks
from mitmproxy.proxy.layers import tls
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.proxy.server_hooks import ServerConnectHook
from mitmproxy.test import tflow

from addons.attempts.patches.hook_arguments import quicken_hooks


@dataclass
class CodexRotateTestHook(hooks.Hook):
    """Of an addon, with several arguments."""

    one: int
    other: str


@pytest.mark.parametrize(
    "hook",
    [
        HttpRequestHook(tflow.tflow()),
        ServerConnectHook("data"),  # type: ignore[arg-type]
        tls.TlsClienthelloHook("data"),  # type: ignore[arg-type]
        hooks.RunningHook(),
        hooks.ConfigureHook({"a"}),
        CodexRotateTestHook(1, "b"),
    ],
    ids=lambda hook: hook.name,
)
def test_they_are_the_same_and_in_order(hook: Any) -> None:
    quicken_hooks()
    assert hook.args() == [getattr(hook, each.name) for each in fields(hook)]
    assert hook.args() is not hook.args()
