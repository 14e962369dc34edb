"""Keys in a table: never the key, always its end and its last use."""

from accounts.people.keys import ClientKey
from cli.ui.keys import keys_table
from tests.builders import NOW


def test_ends_and_uses_in_words(in_tokyo: None) -> None:
    keys = [
        ClientKey(name="a", digest="hidden"),
        ClientKey(name="b", digest="hidden", person="ann", label="laptop", expires_at=NOW, used_at=NOW - 60),
        ClientKey(name="c", digest="hidden", expires_at=NOW + 60),
    ]
    table = keys_table(keys, NOW)
    assert table.rows == (
        ("a", "", "", "never", "never"),
        ("b", "ann", "laptop", "expired", "16:59"),
        ("c", "", "", "17:01", "never"),
    )
