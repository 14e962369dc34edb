"""The zone of the machine's user has a name where one is to be had."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.times.time_zone import local_zone


def test_tz_goes_before_the_machines_zone(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    (tmp_path / "zoneinfo/Europe").mkdir(parents=True)
    (tmp_path / "zoneinfo/Europe/Berlin").touch()
    link.symlink_to(tmp_path / "zoneinfo/Europe/Berlin")
    assert local_zone({"TZ": "Asia/Tokyo"}, link) == ZoneInfo("Asia/Tokyo")
    assert local_zone({"TZ": ":Asia/Tokyo"}, link) == ZoneInfo("Asia/Tokyo")
    assert local_zone({}, link) == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("tz", ["", "Nowhere/Land", "../../etc/passwd", "CET-1CEST,M3.5.0"])
def test_without_a_name_there_is_still_a_zone(tmp_path: Path, tz: str) -> None:
    assert local_zone({"TZ": tz}, tmp_path / "no").utcoffset(None) is not None
