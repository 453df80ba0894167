"""The Helm chart: rendered by Helm, judged by the schemas of Kubernetes, and its pod's command run as a process."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from action_server.config.settings import Settings
from tests.deployments import CHART, RefusedError, lint, problems, render
from tests.processes import PATIENCE, server
from tests.projects import GREET, project

IMAGE = {"image": {"repository": "registry.example.com/clinic", "tag": "1.4"}}
SECRETS = "/run/secrets/action-server"
AUTH = {
    "tokens": {"file": f"{SECRETS}/engine"},
    "monitor_tokens": {"file": f"{SECRETS}/monitor"},
    "open_paths": ["/ready"],
}
EVERYTHING: dict[str, Any] = {
    **IMAGE,
    "secretName": "clinic",
    "endpoints": {"action_server": {"auth": AUTH, "mcp": {"actions": ["action_*"]}}},
    "grpc": {"enabled": True},
    "mcp": {"enabled": True},
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True, "secretKey": "monitor"},
    "networkPolicy": {"monitorFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]},
    "env": [{"name": "CRM_KEY", "valueFrom": {"secretKeyRef": {"name": "crm", "key": "key"}}}],
    "imagePullSecrets": [{"name": "registry"}],
    "tolerations": [{"key": "bots", "operator": "Exists"}],
    "nodeSelector": {"pool": "bots"},
    "affinity": {"podAntiAffinity": {}},
    "podAnnotations": {"team": "bots"},
    "podLabels": {"team": "bots"},
    "serviceAccount": {"annotations": {"role": "bots"}},
    "service": {"annotations": {"mesh": "on"}},
}
ONE: dict[str, Any] = {**IMAGE, "replicas": 1, "persistence": {"enabled": True, "storageClassName": "fast"}}


def one(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [part for part in resources if part["kind"] == kind]
    return found


def container(resources: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = one(resources, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        (IMAGE, {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"}),
        (ONE, {"Deployment", "Service", "ServiceAccount", "NetworkPolicy", "PersistentVolumeClaim"}),
        (
            EVERYTHING,
            {"Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap"}
            | {"HorizontalPodAutoscaler", "ServiceMonitor"},
        ),
    ],
    ids=["the least", "one replica", "everything"],
)
def test_what_helm_renders_is_right_for_kubernetes(values: dict[str, Any], kinds: set[str], tmp_path: Path) -> None:
    """Every field is one that Kubernetes knows, at the oldest version the chart is for and a new one."""
    resources = render(values, tmp_path)

    assert {part["kind"] for part in resources} == kinds
    assert problems(resources) == []
    assert "0 chart(s) failed" in lint(tmp_path / "values.json")


def test_a_wrong_field_would_be_seen(tmp_path: Path) -> None:
    """The judge above can fail: a misspelt field of a probe is named."""
    resources = render(IMAGE, tmp_path)
    container(resources)["readinessProbe"]["periodSecond"] = 2

    (one_version, other_version) = problems(resources)

    assert "periodSecond" in one_version
    assert "periodSecond" in other_version


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "image.repository: the image with your actions"),
        ({**IMAGE, "replica": 3}, "additional properties 'replica' not allowed"),
        ({**IMAGE, "grpc": {"enable": True}}, "additional properties 'enable' not allowed"),
        ({**IMAGE, "persistence": {"enabled": True}}, "set replicas=1, or keep the data in PostgreSQL"),
        ({**IMAGE, "mcp": {"enabled": True}}, "name the actions in `mcp: {actions: [...]}`"),
        (
            {**IMAGE, "mcp": {"enabled": True}, "endpoints": {"action_server": {"mcp": {"actions": ["*"]}}}},
            "allowed_hosts: [clinic-action-server.bots]",
        ),
        ({**IMAGE, "endpoints": {"action_server": {"auth": {"tokens": "x"}}}}, "open_paths: [/ready]"),
        ({**IMAGE, "serviceMonitor": {"enabled": True, "secretKey": "monitor"}}, "a key of secretName, which is empty"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_installed(values: dict[str, Any], said: str, tmp_path: Path) -> None:
    """A misspelt value, and settings that need others, in words."""
    with pytest.raises(RefusedError) as refused:
        render(values, tmp_path)

    assert said in str(refused.value)


def test_the_pod_outlives_its_drain_and_its_probes_come_in(tmp_path: Path) -> None:
    """Time to drain, to finish and ten seconds more; probes ask the open paths of the container's own port."""
    resources = render({**EVERYTHING, "drainDelay": 7, "grace": 90}, tmp_path)
    pod = one(resources, "Deployment")["spec"]["template"]["spec"]
    variables = {entry["name"]: entry.get("value") for entry in container(resources)["env"]}

    assert pod["terminationGracePeriodSeconds"] == 107
    assert (variables["ACTION_SERVER__DRAIN_DELAY"], variables["ACTION_SERVER__GRACE"]) == ("7", "90")
    assert {probe: container(resources)[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")} == {
        "readinessProbe": "/ready",
        "livenessProbe": "/health",
    }


def test_every_port_of_the_service_leads_to_one_of_the_container(tmp_path: Path) -> None:
    """HTTP, gRPC and tools by name; tools are on the port of HTTP."""
    resources = render(EVERYTHING, tmp_path)
    ports = {port["name"]: port["targetPort"] for port in one(resources, "Service")["spec"]["ports"]}

    assert ports == {"http": "http", "grpc": "grpc", "mcp": "http"}
    assert {port["name"] for port in container(resources)["ports"]} == {"http", "grpc"}


def test_every_variable_of_the_pod_is_a_setting(tmp_path: Path) -> None:
    """The server refuses to start with a variable it does not know."""
    own = [entry["name"] for entry in container(render(EVERYTHING, tmp_path))["env"]]

    unknown = [
        name for name in own if name.startswith("ACTION_SERVER__") and name[15:].lower() not in Settings.model_fields
    ]

    assert unknown == []


def test_the_pods_command_serves_behind_its_own_probes(tmp_path: Path) -> None:
    """What the pod runs, as a process: the mounted endpoints.yml and secrets count, and the probes get in."""
    resources = render({**EVERYTHING, "grpc": {"enabled": False}}, tmp_path)
    project(tmp_path, {"actions/__init__.py": "", "actions/greet.py": GREET})
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("engine", "monitor"):
        (secrets / name).write_text(f"secret-of-the-{name}", encoding="utf-8")
    mounted = tmp_path / "endpoints.yml"
    text = one(resources, "ConfigMap")["data"]["endpoints.yml"]
    mounted.write_text(text.replace(SECRETS, str(secrets)), encoding="utf-8")
    variables = {
        entry["name"]: str(mounted) if entry["name"].endswith("__ENDPOINTS") else entry["value"]
        for entry in container(resources)["env"]
        if "value" in entry and not entry["name"].endswith(("__PORT", "__LOG_FORMAT"))
    }

    with server(tmp_path, *container(resources)["args"][1:], variables=variables) as running:
        statuses = {path: _status(running.url, path) for path in ("/health", "/ready", "/actions", "/metrics")}

    assert statuses == {"/health": 200, "/ready": 200, "/actions": 401, "/metrics": 401}


def _status(url: str, path: str) -> int:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def test_every_value_has_its_place_in_the_schema() -> None:
    """values.yaml and its schema name the same values, so that one cannot be forgotten in the other."""
    values = YAML(typ="safe").load(CHART / "values.yaml")
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    assert set(values) | {"global"} == set(schema["properties"])
    for name, part in schema["properties"].items():
        assert set(part.get("properties", {})) == set(values.get(name) or {} if "properties" in part else {}), name
