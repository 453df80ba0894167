"""Whether databases can be opened where their files lie, and whether everybody who should share one does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_data_dir

from action_server.config.settings import Settings
from action_server.doctor import storage_rules as rules
from action_server.doctor.endpoints_file import EndpointsFile
from action_server.doctor.probes import KeptJobsSeen
from action_server.findings.finding import Finding
from action_server.jobs.finding import find_jobs, may_keep_jobs
from action_server.runtime.loader import LoadedPackage
from action_server.security.auth import is_public
from action_server.source import Place

# One of them is there in containers of Docker and Podman; Kubernetes sets the variable in every container.
_CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
_CONTAINER_VARIABLE = "KUBERNETES_SERVICE_HOST"
# https://sqlite.org/faq.html#q5; the types as the kernel names them.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "lustre", "9p", "afs"}
    | {"beegfs", "fuse.ceph", "fuse.ceph-fuse", "vboxsf"}
    # Buckets of object stores, which know no locks.
    | {"fuse.gcsfuse", "fuse.rclone", "fuse.s3fs"}
)
# proc(5): the fifth field is where it is mounted; the type follows a lone hyphen.
_MOUNTS = Path("/proc/self/mountinfo")


def check_storage(
    settings: Settings,
    file: EndpointsFile,
    package: LoadedPackage | None,
    environment: Mapping[str, str],
    kept: KeptJobsSeen | None,
) -> Iterator[Finding]:
    """Check each SQLite file that the settings name, or that jobs and actions which run once need.

    ``kept`` are the jobs that the package keeps in databases of its own; None if nobody knows, as it was not opened.
    """
    in_container = _CONTAINER_VARIABLE in environment or any(mark.exists() for mark in _CONTAINER_FILES)
    in_server = package is not None and bool(find_jobs(settings.actions).keys() - (kept.names if kept else ()))
    for place, path in _sqlite_files(settings, file, package, has_jobs=in_server):
        folder = _nearest_folder(path)
        reason = _why_not_writable(folder)
        kind = kind_of_file_system(folder)
        if reason:
            yield Finding.of(rules.DATABASE_FOLDER, place, reason=reason)
        elif kind in _NETWORK:
            yield Finding.of(rules.SQLITE_NETWORK, place, kind=kind)
        elif in_container and is_public(settings.host):
            yield Finding.of(rules.SQLITE_CONTAINER, place)
            is_servers = place == file.setting("database")
            if in_server if is_servers else _may_hold_jobs(settings, package, path, kept):
                yield Finding.of(rules.JOBS_SQLITE, place)


def _sqlite_files(
    settings: Settings, file: EndpointsFile, package: LoadedPackage | None, *, has_jobs: bool
) -> Iterator[tuple[Place, Path]]:
    options = settings.options
    once = any(options.of(a.name, a.run).idempotent for a in package.registry) if package else False
    if settings.database is not None or once or has_jobs:
        default = str(Path(user_data_dir("action-server", appauthor=False)) / "server.sqlite3")
        found = _sqlite_file(settings.database or default)
        if found is not None:
            yield file.setting("database"), found
    for key, text in _databases_in(settings.services, "action_server.services"):
        found = _sqlite_file(text)
        if found is not None:
            yield file.at(key), found


def _may_hold_jobs(settings: Settings, package: LoadedPackage | None, path: Path, kept: KeptJobsSeen | None) -> bool:
    """Tell whether a database of the package's own has jobs, as far as that is known."""
    if kept is None:
        return package is not None and may_keep_jobs(settings.actions)
    return path.resolve() in kept.files


def _databases_in(tree: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    """Find the settings of services that are called ``database``, as the clinic's is."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _databases_in(value, f"{where}.{key}")
        elif key == "database" and isinstance(value, str):
            yield f"{where}.{key}", value


def _sqlite_file(text: str) -> Path | None:
    scheme, separator, rest = text.partition(":///")
    if separator:
        return Path(rest) if scheme.startswith("sqlite") else None
    return Path(text).expanduser() if text and "://" not in text else None


def _nearest_folder(path: Path) -> Path:
    """Return the folder of a file, or the nearest one above that is there: it is made when it is needed."""
    folder = Path(os.path.abspath(path)).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _why_not_writable(folder: Path) -> str:
    if not folder.is_dir():
        return "there is a file in its place"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "the user who runs this may not"


def kind_of_file_system(folder: Path) -> str:
    """Return the kind of file system a folder is on, as the kernel names it; empty if that is not known."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    mounts: dict[Path, str] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > 4 and after:
            # Blanks are written in octal there. Of several on one place the last one counts.
            mounts[Path(fields[4].replace("\\040", " "))] = after.split(" ")[0]
    real = Path(os.path.realpath(folder))
    return next((mounts[place] for place in (real, *real.parents) if place in mounts), "")
