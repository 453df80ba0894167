"""What is stated about engines says how it is known: in the code of flows and projects, and on the pages about them."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
MODULES = sorted(p for room in ("flows", "project") for p in (ROOT / "action_server" / room).rglob("*.py"))
HOWTO = [
    "authenticate",
    "behind-a-proxy",
    "chat",
    "check",
    "doctor",
    "from-rasa-sdk",
    "keep-logs-private",
    "migrate-to-calm",
    "monitor",
    "offer-actions-as-tools",
    "run-actions-once",
    "test-flows",
    "trace",
    "when-actions-fail",
]
PAGES = [
    *(ROOT / "docs" / "howto" / f"{name}.md" for name in HOWTO),
    *(ROOT / "docs" / f"{name}.md" for name in ("differences", "troubleshooting")),
    *(ROOT / "docs" / "reference" / f"{name}.md" for name in ("check-rules", "webhook")),
]
# Not in paths.
STATES = re.compile(r"(?<![/\w])[Ee]ngines?\b(?!/)")
SAYS_HOW = re.compile(r"rasa-pro 3\.21\.0|rasa 3\.6\.21|Rasa Pro 3\.21\.0|pypred 0\.4\.0|Rasa Open Source 3\.6")
MARKED = re.compile(r"\[(read|run)\]")
# Not about one.
OTHERWISE = re.compile(r"(?:without|not) an engine")
SENTENCE = re.compile(r"(?<=[.;:!?]) +(?=[A-Z`*\[])")


def statements_of(text: str) -> Iterator[str]:
    """Yield the docstrings and comments of a module; lines of a comment in a row are one."""
    last = -1
    comment: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1 and comment:
                yield " ".join(comment)
                comment = []
            comment.append(token.string.lstrip("# "))
            last = token.start[0]
    yield " ".join(comment)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield " ".join((ast.get_docstring(node) or "").split())


def sentences_of(page: str) -> Iterator[str]:
    """Yield the sentences of a page, and the rows of its tables as a whole; what is printed by programs is left out."""
    text = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\n|\n(?=\|)|\n(?=#)|\n(?=\s*- )", text):
        line = " ".join(block.split())
        if line.startswith("|"):
            yield line
        elif not line.startswith("#"):
            # A mark behind the last full stop belongs to the sentence, and in a list to all of the entry.
            parts = [line] if line.startswith("- ") else SENTENCE.split(re.sub(r"\. (\[(?:read|run)\])", r" \1.", line))
            yield from parts


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_says_where_its_rules_come_from(module: Path) -> None:
    """At its head, or beside each of them."""
    text = module.read_text(encoding="utf-8")
    if SAYS_HOW.search(ast.get_docstring(ast.parse(text)) or ""):
        return

    assert [s for s in statements_of(text) if STATES.search(s) and not SAYS_HOW.search(s)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_sentence_about_an_engine_says_how_it_is_known(page: Path) -> None:
    """By `[read]` or `[run]`, which lead to what they mean. Rows of rules have a column for it."""
    text = page.read_text(encoding="utf-8")
    found = [s for s in sentences_of(text) if STATES.search(OTHERWISE.sub("", s))]

    assert found
    assert [s for s in found if not MARKED.search(s) and not s.endswith("| here |")] == []
    assert "decisions.md#what-an-engine-does" in text


def test_a_statement_without_a_source_is_found() -> None:
    """In code and on a page, whatever stands around it."""
    code = '"""A module."""\n\nX = 1\n# First.\n# Engines do so.\n\n\ndef f():\n    """Do as engines do."""\n'
    page = (
        "The engine waits. Engines end [read]. One more.\n\n- a list. An engine asks. [run]\n\n| a | engines | here |\n"
    )

    assert [s for s in statements_of(code) if STATES.search(s)] == ["First. Engines do so.", "Do as engines do."]
    assert [s for s in sentences_of(page) if STATES.search(s) and not MARKED.search(s)] == [
        "The engine waits.",
        "| a | engines | here |",
    ]
