from typing import Any

import pytest

from accounts.continuing.items import Role, role_of


@pytest.mark.parametrize(
    ("item", "role"),
    [
        ({"type": "reasoning"}, Role.THOUGHT),
        ({"type": "web_search_call"}, Role.SAID),
        ({"type": "tool_search_call", "execution": "client"}, Role.CALL),
        ({"type": "tool_search_call", "execution": "server"}, Role.UNKNOWN),
        ({"type": "mcp_call"}, Role.UNKNOWN),
        ({"type": "novelty"}, Role.UNKNOWN),
        ({"type": ["message"]}, Role.UNKNOWN),
        ({}, Role.UNKNOWN),
    ],
)
def test_each_kind_of_item_has_its_role(item: dict[str, Any], role: Role) -> None:
    assert role_of(item) is role
