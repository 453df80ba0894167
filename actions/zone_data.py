"""Which time-zone data are used: the newer ones of the system's and of the package tzdata.

Python takes the system's whenever there are any, and those of a long-lived image are years old: 10:00 in Vancouver in
January 2027 is an hour off by them, since the rules changed in 2026. https://peps.python.org/pep-0615/
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tzdata  # type: ignore[import-untyped]

# Some of the zones, of which any folder of zones has one.
_USUAL = ("UTC", "Europe", "America")
_VERSION = re.compile(r"#\s*version\s+(\d{4}[a-z]+)")


@dataclass(frozen=True)
class ZoneData:
    """The versions there are, such as 2026f; None for a system that has no data or does not tell."""

    system: str | None
    package: str

    @property
    def system_is_older(self) -> bool:
        """Whether the package's data are to be used, though there may be data of the system."""
        # "2026f" comes after "2026a" and after "2025b"; there have never been more than 26 in a year.
        return self.system is None or self.system < self.package

    def __str__(self) -> str:
        used = f"{self.package}, of the package tzdata" if self.system_is_older else f"{self.system}, of the system"
        other = f"the system's are {self.system or 'unknown'}" if self.system_is_older else f"tzdata's {self.package}"
        return f"time zones: {used} ({other})"


def find_zone_data(folders: Sequence[str]) -> ZoneData:
    """Return the versions of the data in these folders, of which Python takes the first with a zone, and of tzdata."""
    for folder in folders:
        try:
            with (Path(folder) / "tzdata.zi").open(encoding="utf-8") as file:
                version = _VERSION.match(file.readline())
        except (OSError, ValueError):
            if any((Path(folder) / zone).exists() for zone in _USUAL):
                break  # Python takes its zones, of whatever age, whatever another folder has
            continue
        return ZoneData(version[1] if version else None, tzdata.IANA_VERSION)
    return ZoneData(None, tzdata.IANA_VERSION)


def use_newest_zone_data() -> ZoneData:
    """Have every zone of this process made of the newer data, and return which there are.

    Zones that were made before stay as they are, so this comes first.
    """
    found = find_zone_data(zoneinfo.TZPATH)
    if found.system_is_older and zoneinfo.TZPATH:
        # Without a folder to look in, Python takes the package's.
        zoneinfo.reset_tzpath(to=())
        zoneinfo.ZoneInfo.clear_cache()
    return found
