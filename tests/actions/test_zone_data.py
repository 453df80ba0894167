"""Of the system's time-zone data and those of the package tzdata the newer ones are used."""

from __future__ import annotations

import os
import warnings
import zoneinfo
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata  # type: ignore[import-untyped]

from actions.zone_data import ZoneData, find_zone_data, use_newest_zone_data


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Path]:
    """The folder of a system whose data have no other zone than Vancouver, which is UTC there."""
    before = zoneinfo.TZPATH
    (tmp_path / "America").mkdir()
    utc = Path(tzdata.__file__).parent / "zoneinfo" / "UTC"
    (tmp_path / "America" / "Vancouver").write_bytes(utc.read_bytes())
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    ZoneInfo.clear_cache()
    yield tmp_path
    zoneinfo.reset_tzpath(to=before)
    ZoneInfo.clear_cache()


def vancouver() -> timedelta | None:
    return ZoneInfo("America/Vancouver").utcoffset(datetime(2026, 1, 15, 10))


@pytest.mark.parametrize("first_line", ["# version 2025b\n", "# of somebody's own\n", None])
def test_older_data_of_the_system_are_passed_over(system: Path, first_line: str | None) -> None:
    """Also if nothing says how old they are."""
    if first_line:
        (system / "tzdata.zi").write_text(first_line, encoding="utf-8")
    assert vancouver() == timedelta()

    assert use_newest_zone_data().system_is_older
    assert vancouver() == timedelta(hours=-8)


def test_the_age_of_zones_is_that_of_their_own_folder(system: Path, tmp_path: Path) -> None:
    """The first folder with a zone counts; what the next one says of itself is of no use."""
    (tmp_path / "next").mkdir()
    (tmp_path / "next" / "tzdata.zi").write_text("# version 2099a\n", encoding="utf-8")
    zoneinfo.reset_tzpath(to=[str(tmp_path / "nowhere"), str(system), str(tmp_path / "next")])
    ZoneInfo.clear_cache()

    assert use_newest_zone_data() == ZoneData(None, tzdata.IANA_VERSION)
    assert vancouver() == timedelta(hours=-8)


def test_newer_data_of_the_system_are_used(system: Path) -> None:
    """A system that is kept up to date knows more than a package that was pinned."""
    (system / "tzdata.zi").write_text("# version 2099a\n# more\n", encoding="utf-8")

    found = use_newest_zone_data()

    assert (found.system, found.package, found.system_is_older) == ("2099a", tzdata.IANA_VERSION, False)
    assert vancouver() == timedelta()


@pytest.mark.parametrize(
    ("system_version", "package", "older"),
    [("2025b", "2026a", True), ("2026f", "2026f", False), ("2026g", "2026f", False), (None, "2026f", True)],
)
def test_versions_are_compared_by_year_and_letter(system_version: str | None, package: str, older: bool) -> None:
    """And what is used is said in a line."""
    found = ZoneData(system_version, package)

    assert found.system_is_older is older
    assert (f"time zones: {package}, of the package tzdata" in str(found)) is older


def test_folders_that_are_not_there_have_no_data(tmp_path: Path) -> None:
    """As on systems without any, where the package is what Python uses."""
    assert find_zone_data([str(tmp_path / "nowhere"), str(tmp_path)]) == ZoneData(None, tzdata.IANA_VERSION)


@pytest.mark.parametrize(
    ("version", "package", "hours"),
    [("2026c", "2026f", -8), ("2026f", "2026c", 0), ("2026c", "2026c", 0), (None, "2026c", -8)],
    ids=["older than the package", "newer than the package", "as old as the package", "of unknown age"],
)
def test_what_a_variable_names_is_the_system_to_us(
    version: str | None, package: str, hours: int, system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHONTZPATH takes the place of the usual folders; also beside a package that was pinned years ago."""
    monkeypatch.setattr(tzdata, "IANA_VERSION", package)
    monkeypatch.setenv("PYTHONTZPATH", f"relative{os.pathsep}{system}" if version else str(system))
    if version:
        (system / "tzdata.zi").write_text(f"# version {version}\n", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the folder that is relative, which Python leaves out
        zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()

    found = use_newest_zone_data()

    assert (found.system, found.package) == (version, package)
    assert vancouver() == timedelta(hours=hours)


def test_a_variable_that_names_nothing_leaves_the_package(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONTZPATH= is how Python is told to look nowhere: zones are there all the same, and nothing is reset."""
    monkeypatch.setenv("PYTHONTZPATH", "")
    zoneinfo.reset_tzpath()
    ZoneInfo.clear_cache()
    before = ZoneInfo("America/Vancouver")

    assert use_newest_zone_data() == ZoneData(None, tzdata.IANA_VERSION)
    assert ZoneInfo("America/Vancouver") is before
    assert vancouver() == timedelta(hours=-8)
