"""The long run's table: what was measured stands in it, and what failed keeps it from being written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.reliability import BEGIN, END, TITLES, Report, write


def test_the_table_has_a_column_for_each_system_and_counts_what_was_done(tmp_path: Path) -> None:
    """The rest of the page stays as it is."""
    report = Report()
    for system in ("sqlite", "medplum", "medplum"):
        report.count("nothing breaks", system, lambda: 1)
    report.count("killed at each step of a booking", "sqlite", lambda: 20)
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", encoding="utf-8")

    write(report, page)

    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"above\n{BEGIN}\nMeasured on ")
    assert text.endswith(f"{END}\nbelow\n")
    assert "old" not in text
    assert f"|  | {' | '.join(TITLES.values())} |" in text
    assert "| nothing breaks | 1 races |  |  |  | 2 races |" in text
    assert "| killed at each step of a booking | 20 deaths |  |  |  |  |" in text


def test_what_fails_is_told_and_the_next_cells_are_measured() -> None:
    """The problem names row and system."""
    report = Report()

    def fail() -> int:
        raise AssertionError("eleven appointments")

    report.count("nothing breaks", "xandikos", fail)
    report.count("nothing breaks", "medplum", lambda: 1)

    [problem] = report.problems
    assert problem.startswith("nothing breaks, CalDAV, Xandikos:")
    assert "eleven appointments" in problem
    assert ("nothing breaks", "medplum") in report.cells


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was done is not done again, what failed is; another version begins anew."""
    done: list[str] = []

    def work(name: str, number: int) -> int:
        done.append(name)
        if name == "fails" and done.count("fails") == 1:
            raise AssertionError("eleven appointments")
        return number

    for version in ("one", "one", "two"):
        report = Report.go_on(tmp_path / "build" / "kept.json", version)
        report.count("walks", "sqlite", partial(work, "first", 100))
        report.count("walks", "sqlite", partial(work, "fails", 100))
        if version == "two" or "last" not in done:
            report.count("walks", "medplum", partial(work, "last", 7))

    assert done == ["first", "fails", "last", "fails", "first", "fails", "last"]
    assert report.cells == {("walks", "sqlite"): 200, ("walks", "medplum"): 7}
