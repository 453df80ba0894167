"""Opening hours as OpenStreetMap writes them, as far as it is certain what they mean.

https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification leaves some things open, and its readers differ.
What is read here means the same to opening_hours.js, the reader that most of the map's users have; whatever else is
refused with a sentence that says why.
"""

from __future__ import annotations

from actions.scheduling.opening.hours import OpeningHours

__all__ = ["OpeningHours"]
