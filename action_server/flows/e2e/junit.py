"""Results as JUnit XML, which CI systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from action_server.errors import SettingsError
from action_server.flows.e2e.report import describe_turn
from action_server.flows.e2e.runner import Result

# What XML 1.0 has no way to write.
_UNWRITABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, results: Sequence[Result], *, repeats: int) -> None:
    """Write the results, a suite for each file.

    Raises:
        SettingsError: the file cannot be written.
    """
    root = ET.Element("testsuites", _counts(results))
    for file in dict.fromkeys(result.case.at.file for result in results):
        own = [result for result in results if result.case.at.file == file]
        suite = ET.SubElement(root, "testsuite", {"name": file, **_counts(own)})
        for result in own:
            _add(suite, result, repeats)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as exc:
        raise SettingsError("--junit", f"{path} cannot be written: {exc.strerror}") from exc


def _counts(results: Sequence[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(result.outcome == "failed" for result in results)),
        "errors": str(sum(result.outcome == "error" for result in results)),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _add(suite: ET.Element, result: Result, repeats: int) -> None:
    name = result.case.name + (f" [run {result.number}]" if repeats > 1 else "")
    at = result.case.at
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "name": _clean(name),
            "classname": at.file,
            "file": at.file,
            "line": str(at.line),
            "time": f"{result.seconds:.3f}",
        },
    )
    if result.outcome == "error":
        ET.SubElement(case, "error", {"message": _clean(result.problem)})
    elif result.failures:
        failures = result.failures
        found = ET.SubElement(case, "failure", {"message": _clean(f"{failures[0][1].at}: {failures[0][1]}")})
        expected = [f"{check.at}: expected {check}" for _, check in failures]
        found.text = _clean("\n".join([*expected, "", "actual:", *describe_turn(failures[0][0])]))


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("\ufffd", text)
