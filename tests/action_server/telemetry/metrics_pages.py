"""Reads a page of metrics as Prometheus does, and runs processes that count."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from action_server.telemetry.metrics import Metrics
from tests.processes import PATIENCE

ROOT = Path(__file__).parents[3]

Labels = frozenset[tuple[str, str]]


def read(page: str) -> dict[tuple[str, Labels], float]:
    """Every value of a page, by name and labels."""
    samples = [sample for family in parse(page) for sample in family.samples]
    read = {(s.name, frozenset(s.labels.items())): s.value for s in samples}
    assert len(read) == len(samples), "a series stands twice on the page"
    return read


def value(page: str, name: str, **labels: str) -> float | None:
    return read(page).get((f"action_server_{name}", frozenset(labels.items())))


def labels_of(page: str, name: str, label: str) -> set[str]:
    return {dict(labels)[label] for series, labels in read(page) if series == f"action_server_{name}"}


def page_of(metrics: Metrics, accept: str | None = None) -> str:
    return metrics.render(accept).body.decode()


def output_of(script: str, **variables: str) -> str:
    """What a process of its own prints that runs a script."""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()
