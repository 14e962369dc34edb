"""What became of the authority is said with how long it lasts, and what has to be restarted."""

from pathlib import Path

from certs import ca
from cli.running.authority import RESTART, RESTART_ALL, made, renewed

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC."""
DAY = 86_400.0


def test_a_new_one_says_what_it_can_vouch_for(tmp_path: Path) -> None:
    said = made(ca.create(tmp_path / "ca", NOON))
    assert said.endswith(f"It can vouch for {' and '.join(ca.DOMAINS)} only.")


def test_a_renewal_says_what_goes_on(tmp_path: Path) -> None:
    """None before it is due; then one that both are trusted beside; and one that must not be."""
    folder = tmp_path / "ca"
    ca.create(folder, NOON)
    assert renewed(ca.renew(folder, NOON + DAY, force=False), NOON + DAY).startswith("Nothing was renewed")
    assert renewed(ca.renew(folder, NOON + DAY, force=True), NOON + DAY).endswith(RESTART)
    assert renewed(ca.renew(folder, NOON + DAY, force=False, leaked=True), NOON + DAY).endswith(RESTART_ALL)
