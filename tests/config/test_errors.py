"""Whatever is expected to fail has one root, so that one place can tell all of it."""

import inspect

import pytest

import accounts.errors
import certs.errors
import config.errors
from accounts.errors import NothingUsable, UsageError
from certs.errors import CaError
from config.errors import ConfigError, RotateError
from config.paths import UnusableHome

MODULES = (accounts.errors, certs.errors, config.errors)


def errors_of(module: object) -> dict[str, type[Exception]]:
    found = inspect.getmembers(module, inspect.isclass)
    return {name: kind for name, kind in found if kind.__module__ == getattr(module, "__name__", "")}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_expected_failure_is_below_the_root(module: object) -> None:
    assert errors_of(module)
    assert all(issubclass(kind, RotateError) for kind in errors_of(module).values())


def test_no_two_failures_have_one_name() -> None:
    names = [name for module in MODULES for name in errors_of(module)]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(RotateError, 1), (CaError, 1), (ConfigError, 2), (UnusableHome, 2), (UsageError, 2), (NothingUsable, 3)],
)
def test_each_kind_ends_a_command_with_its_code(kind: type[RotateError], code: int) -> None:
    assert kind.exit_code == code
