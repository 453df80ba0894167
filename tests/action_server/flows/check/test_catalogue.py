"""The catalogue of rules: each is tested, and stands in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from action_server.flows.check.catalogue import RULES

ROOT = Path(__file__).parents[4]


def test_each_rule_has_a_planted_fault() -> None:
    """No rule without a test: each stands among the expected findings of a file of this folder."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))

    assert [rule for rule in RULES if not re.search(rf'"{rule}[ "]', text)] == []


def test_the_reference_lists_each_rule() -> None:
    """docs/reference/check-rules.md is made of the catalogue: id, severity, what is found, what happens otherwise, how
    that is known."""
    text = (ROOT / "docs/reference/check-rules.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (error|warning) \| (.+) \| (.+) \| (\[read\]|\[run\]|here) \|$", text, re.MULTILINE
    )

    assert rows == [(r.id, r.severity, r.summary, r.why, f"[{r.known}]" if r.known else "here") for r in RULES.values()]
