"""Debian's Chromium, driven by Playwright, and axe, which finds what people who cannot see or point are left out of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

# What keeps somebody from using a page.
_SERIOUS = ("serious", "critical")


def chromium() -> str:
    """The program. A test is skipped where there is none, except in CI, which installs it by name."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        word = "Chromium is missing: `apt-get install chromium` (CI does, see .ci/run)"
        if os.environ.get("CI"):
            raise AssertionError(word)
        pytest.skip(word)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser without a window within the block."""
    program = chromium()
    with sync_playwright() as playwright:
        # The sandbox needs a user that CI, as root, is not.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def serious_findings(page: Page) -> list[str]:
    """What axe finds that keeps somebody out, each with its element."""
    found = Axe().run(page).response
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in _SERIOUS
        for node in violation["nodes"]
    ]
