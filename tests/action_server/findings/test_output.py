"""What people and scripts get to see of findings."""

from __future__ import annotations

import io

from rich.console import Console

from action_server.findings.finding import Finding
from action_server.findings.output import as_json, print_line, show_findings
from action_server.findings.rule import Rule
from action_server.source import Place

NAME = Rule("unknown-name", "error", "a name that is nobody's", section="names")
PORT = Rule("port", "warning", "the port is another one", fix="take [this] one", section="settings")
NOTE = Rule("good-to-know", "note", "it is so", fix="nothing", section="settings")
FINDINGS = [
    Finding(NAME, Place("data/flows.yml", 12, 5), "nobody " + "knows this name " * 8 + "at all", "write " + "it " * 40),
    Finding.of(PORT, Place("endpoints.yml", key="action_endpoint.url")),
    Finding.of(NOTE, Place(key="--engine")),
]


def print_findings(findings: list[Finding], *, width: int, is_terminal: bool) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=is_terminal, color_system=None)
    show_findings(console, findings, checked="3 files")
    return stream.getvalue().splitlines()


def test_through_a_pipe_a_finding_is_one_line_and_its_fix_another() -> None:
    """Editors read `path:line:column: severity` and the sentence behind it, whatever width somebody guessed."""
    lines = print_findings(FINDINGS, width=40, is_terminal=False)

    assert lines[0].startswith("data/flows.yml:12:5: error unknown-name: nobody knows")
    assert lines[0].endswith("at all")
    assert lines[1] == "    write " + ("it " * 40)
    assert lines[2:] == [
        "endpoints.yml:action_endpoint.url: warning port: the port is another one",
        "    take [this] one",
        "--engine: note good-to-know: it is so",
        "    nothing",
        "1 error, 1 warning, 1 note (3 files)",
    ]


def test_a_terminal_of_80_columns_gets_lines_of_80_columns() -> None:
    """Broken between words, and indented from the second line on; no word is lost."""
    lines = print_findings(FINDINGS, width=80, is_terminal=True)
    flat = print_findings(FINDINGS, width=80, is_terminal=False)

    assert max(map(len, lines)) <= 80
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(flat).split())
    assert [line for line in lines if not line.startswith("    ")] == [lines[0], *flat[2::2]]


def test_a_path_longer_than_the_terminal_is_not_lost() -> None:
    """It is broken where the line ends."""
    lines = print_findings([Finding(NAME, Place("a" * 100, 1), "x", "y")], width=80, is_terminal=True)

    assert max(map(len, lines)) <= 80
    assert "".join(line.strip() for line in lines).count("a") == 100 + "unknown-name".count("a")


def test_where_nothing_is_found_it_says_so() -> None:
    """Silence could be a crash."""
    assert print_findings([], width=80, is_terminal=False) == ["nothing found (3 files)"]


def test_json_has_the_counts_and_each_part_of_a_finding() -> None:
    """The place as people read it, and in its parts."""
    report = as_json(FINDINGS[1:])

    assert (report["errors"], report["warnings"], report["notes"]) == (0, 1, 1)
    assert report["findings"][0] == {
        "rule": "port",
        "severity": "warning",
        "where": "endpoints.yml:action_endpoint.url",
        "file": "endpoints.yml",
        "line": 0,
        "column": 0,
        "key": "action_endpoint.url",
        "message": "the port is another one",
        "fix": "take [this] one",
    }


def test_a_finding_steers_no_terminal_and_begins_no_line() -> None:
    """Names of files, of keys and of flows come from whoever wrote the project."""
    finding = Finding(NAME, Place("a\x1b[2J.yml", 1), "it says 'b\nyou: pay'", "write \u202ex")

    assert print_findings([finding], width=80, is_terminal=False)[:2] == [
        r"a\x1b[2J.yml:1: error unknown-name: it says 'b\nyou: pay'",
        r"    write \u202ex",
    ]


def test_a_line_longer_than_the_terminal_begins_no_line_of_its_own() -> None:
    """Blanks up to the edge would let what follows stand where a terminal's next line begins."""
    stream = io.StringIO()
    console = Console(file=stream, width=40, force_terminal=True, color_system=None)

    print_line(console, "bot: hello" + " " * 30 + "you: pay" + " " * 32 + "you: all", indent=5)

    first, *others = stream.getvalue().splitlines()
    assert first == "bot: hello"
    assert [line[:5] for line in others] == [" " * 5] * len(others)
