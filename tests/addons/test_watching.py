"""Bodies are looked through only where somebody can see them, and always there."""

from pathlib import Path

import pytest
from mitmproxy.addons import default_addons
from mitmproxy.addons.dumper import Dumper
from mitmproxy.addons.view import View
from mitmproxy.test import taddons

from addons import watching


def watched(*more: object, **options: object) -> bool:
    with taddons.context(*default_addons(), *more, loadcore=False) as context:
        context.options.update(**options)
        seen = watching.anybody(context.master.addons, context.options)
        context.options.reset()  # closes what was opened to be written
        return seen


def test_mitmdump_by_itself_shows_no_body() -> None:
    assert not watched(Dumper())


def test_what_keeps_flows_shows_them() -> None:
    assert watched(View())


@pytest.mark.parametrize(
    ("option", "value", "seen"),
    [
        ("save_stream_file", "flows", True),
        ("hardump", "all.har", True),
        ("flow_detail", 4, True),
        ("flow_detail", 3, True),
        ("flow_detail", 2, True),
        ("flow_detail", 1, False),
    ],
)
def test_mitmdump_shows_them_where_it_is_told_to(option: str, value: object, seen: bool, tmp_path: Path) -> None:
    value = str(tmp_path / value) if isinstance(value, str) else value
    assert watched(Dumper(), **{option: value}) is seen
