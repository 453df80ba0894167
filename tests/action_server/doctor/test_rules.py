"""Every rule of the doctor has a planted fault and stands in the documentation."""

from __future__ import annotations

from pathlib import Path

from action_server.doctor.rules import RULES

ROOT = Path(__file__).parents[3]


def test_every_rule_has_a_planted_fault() -> None:
    """No rule without a test: each name stands in a file of this folder."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))

    assert [rule for rule in RULES if f'"{rule}"' not in text] == []


def rules_table() -> str:
    """The table of all rules, made from them."""
    lines = ["| rule | severity | what is wrong | what to do | known |", "|---|---|---|---|---|"]
    for rule in RULES.values():
        problem, remedy = (text.replace("<", "*").replace(">", "*") for text in (rule.summary, rule.fix))
        known = f"[{rule.known}]" if rule.known else "here"
        lines.append(f"| `{rule.id}` | {rule.severity} | {problem} | {remedy} | {known} |")
    return "\n".join(lines)


def test_the_page_has_every_rule() -> None:
    """The table is made from the rules; paste the one shown here when it differs."""
    page = (ROOT / "docs" / "howto" / "doctor.md").read_text(encoding="utf-8")

    assert rules_table() in page, f"docs/howto/doctor.md needs this table:\n{rules_table()}"
