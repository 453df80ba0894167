"""What docs/howto/monitor.md shows works: its probes and its scrape job, against a server with its settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.action_server.serving.test_operations import get, post
from tests.processes import ROOT, server
from tests.projects import GREET, project

PAGE = (ROOT / "docs" / "howto" / "monitor.md").read_text(encoding="utf-8")
SCRAPE: dict[str, Any] = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "prometheus.yml")
ENGINE, MONITOR = "token-of-the-engine", "token-of-the-monitor"


def block_with(key: str) -> dict[str, Any]:
    """The block of YAML on the page that has this key."""
    blocks = [YAML(typ="safe").load(text) for text in re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)]
    found: dict[str, Any] = next(block for block in blocks if key in block)
    return found


def test_the_page_shows_the_scrape_job_that_is_shipped() -> None:
    """Whoever copies either has the same."""
    assert block_with("scrape_configs")["scrape_configs"] == SCRAPE["scrape_configs"]
    assert [(ROOT / "deploy" / "prometheus" / name).exists() for name in SCRAPE["rule_files"]] == [True]


async def test_the_pages_probes_and_scrape_job_work_with_the_pages_settings(tmp_path: Path) -> None:
    """They got 401, and a pod was never ready. The monitor's token calls nothing, and who is unknown learns little."""
    settings = block_with("action_server")
    for name, secret in (("tokens", ENGINE), ("monitor_tokens", MONITOR)):
        (tmp_path / name).write_text(secret)
        # At another place than on the page, where a test may write.
        settings["action_server"]["auth"][name]["file"] = str(tmp_path / name)
    project(tmp_path, {"actions.py": GREET, "endpoints.yml": json.dumps(settings)})
    (job,) = SCRAPE["scrape_configs"]
    as_prometheus = {"Authorization": f"{job['authorization']['type']} {MONITOR}"}
    probes = block_with("readinessProbe")

    with server(tmp_path) as running:
        for probe in ("livenessProbe", "readinessProbe"):
            assert (await get(f"{running.url}{probes[probe]['httpGet']['path']}"))[0] == 200
        status, page = await get(f"{running.url}{job.get('metrics_path', '/metrics')}", as_prometheus)
        assert (status, "action_server_" in page) == (200, True)

        assert await get(f"{running.url}/ready") == (200, {"status": "ready"})
        assert "threads" in (await get(f"{running.url}/ready", as_prometheus))[1]
        assert (await get(f"{running.url}/metrics"))[0] == 401
        assert (await post(f"{running.url}/webhook", "action_greet", as_prometheus))[0] == 401
        assert (await get(f"{running.url}/actions", as_prometheus))[0] == 401
