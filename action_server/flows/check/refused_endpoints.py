"""What `rasa train` and `rasa data validate` refuse in endpoints.yml beside models: MCP servers, silence, own classes.

Read in rasa-pro 3.21.0 (rasa/core/config/available_endpoints.py and `verify_mcp_...` of rasa/validator.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from action_server.flows.check.subject import Subject
from action_server.project.python.importables import problem_of_name
from action_server.project.settings_parts import SECRETS, is_from_environment, mapping_of, mappings_in
from action_server.source import Place

_SERVERS = "mcp_servers"
_TYPES = ("http", "https")
_FROM_VARIABLE = "let it come from the environment: `${NAME}`"


def check_refused_endpoints(subject: Subject) -> None:
    """Report what the engine does not take, in a project with flows."""
    if not subject.project.flows:
        return
    endpoints = subject.project.endpoints
    for server in mappings_in(endpoints, _SERVERS):
        who = f"the MCP server {str(server.get('name') or '')!r}"
        for what, fix in _faults_of_server(subject, server):
            subject.refuse(_place(subject, _SERVERS), f"{who} {what}", fix)
        hook = server.get("pre_call_hook")
        if hook:
            subject.report_name(str(hook), _place(subject, _SERVERS), f"{who} has the `pre_call_hook`")
    silence = mapping_of(endpoints, "interaction_handling").get("global_silence_timeout", 1)
    if not _is_positive(silence):
        what = "`global_silence_timeout` is no number above 0"
        subject.refuse(_place(subject, "interaction_handling"), what, "write seconds, such as 30")
    kind = str(mapping_of(endpoints, "nlg").get("type") or "")
    problem = problem_of_name(subject.root, kind, is_class=True) if "." in kind else None
    # One of a package that is not here is believed to be where the engine runs, as components are.
    if problem is not None and not problem.may_be_elsewhere:
        what = f"the `type` of `nlg`, {kind!r}, cannot be imported: {problem.text}"
        subject.refuse(_place(subject, "nlg"), what, "correct the name")


def _faults_of_server(subject: Subject, server: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("name", "url", "type"):
        if not isinstance(server.get(key), str) or not server[key]:
            yield f"has no `{key}`", "add it as a text"
    kind = server.get("type")
    if isinstance(kind, str) and kind and kind not in _TYPES:
        yield f"has the type {kind!r}", f"choose one of {', '.join(_TYPES)}: engines speak to no others"
    for key in SECRETS:
        if key in server and not is_from_environment(server[key]):
            yield f"has `{key}` as a text of its own", _FROM_VARIABLE
    oauth = mapping_of(server, "oauth")
    if "client_secret" in oauth and not is_from_environment(oauth["client_secret"]):
        yield "has `client_secret` of `oauth` as a text of its own", _FROM_VARIABLE
    yield from _faults_of_meta(subject, mapping_of(server, "meta_map"))


def _faults_of_meta(subject: Subject, meta_map: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for pair in mappings_in(meta_map, "from_slots"):
        name = pair.get("slot")
        if not _is_text(name) or not _is_text(pair.get("param")):
            yield "has a `from_slots` in its `meta_map` without `slot` or `param`", "write both as texts"
        elif subject.lacks_slot(str(name)):
            yield (
                f"takes the slot {name!r} in its `meta_map`, which the domain does not have",
                "add the slot, or correct the name",
            )
    if not all(_is_text(value) for value in mapping_of(meta_map, "static").values()):
        yield "has something else than a text in `static` of its `meta_map`", "write it in quotes"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_positive(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) > 0
    except (TypeError, ValueError):
        # One from the environment is known by nobody here.
        return is_from_environment(value)


def _place(subject: Subject, key: str) -> Place:
    return Place(file=subject.project.endpoints_file, key=key)
