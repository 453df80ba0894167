"""Rules are found among a module's names."""

from __future__ import annotations

from action_server.findings.rule import Rule, rules_in


def test_the_rules_of_a_module_are_those_it_names() -> None:
    """By id, in the order they are written in; what is no rule is passed over."""
    first, second = Rule("b", "error", "b is wrong"), Rule("a", "note", "a is so")

    assert rules_in({"B": first, "SECTION": "x", "A": second, "rules_in": rules_in}) == {"b": first, "a": second}
    assert list(rules_in({"B": first, "A": second})) == ["b", "a"]
