"""What `rasa train` refuses of language models: who asks them, and `model_groups` of endpoints.yml.

Read in rasa-pro 3.21.0 (rasa/engine/validation.py and rasa/shared/providers/model_group_validation.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from action_server.flows.check.subject import Subject
from action_server.project.places import Problems
from action_server.project.settings_parts import FROM_ENVIRONMENT, mapping_of, mappings_in
from action_server.project.yaml_tree import Trees
from action_server.source import Place
from action_server.yaml_file import read_text

_GROUP, _GROUPS = "model_group", "model_groups"
# Settings that hold secrets; an engine takes them from the environment alone.
_SECRETS = frozenset(
    [
        "api_key",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "public_key",
        "private_key",
        "client_id",
        "client_secret",
        "token_url",
        "secret",
    ]
)
# What a model group may have from the environment where engines do not fill it in when they read the file.
_LATE = frozenset(
    [
        "deployment",
        "api_base",
        "api_key",
        "api_version",
        "aws_region_name",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
    ]
)
# Quotes, and the marks of a text of several lines.
_QUOTES = ("'", '"', "|", ">")
_API_TYPES = ("openai", "azure")
_STRATEGIES = ("cost-based-routing", "usage-based-routing", "latency-based-routing", "least-busy", "simple-shuffle")


@dataclass(frozen=True)
class _Client:
    """Somebody who asks a model: what it is called, its settings, and where they stand."""

    name: str
    settings: Mapping[str, Any]
    at: Place


def check_refused_models(subject: Subject) -> None:
    """Report what the engine does not take, in a project with flows."""
    if not subject.project.flows:
        return
    clients = list(_clients(subject))
    _check_groups(subject)
    for client in clients:
        _check_client(subject, client)
    with_group = [client for client in clients if _GROUP in client.settings]
    alone = next((client for client in clients if _GROUP not in client.settings), None)
    if with_group and alone is not None:
        what = f"{alone.name} names its model itself, and {with_group[0].name} a `{_GROUP}`"
        subject.refuse(alone.at, what, f"let both name a `{_GROUP}` of endpoints.yml")


def _clients(subject: Subject) -> Iterator[_Client]:
    config, file = subject.project.config, subject.project.config_file
    for key in ("pipeline", "policies"):
        for part in mappings_in(config, key):
            for owner, name in ((part, ""), (mapping_of(part, "flow_retrieval"), ".flow_retrieval")):
                # Of the search for flows it is the embeddings alone.
                for what_for in ("embeddings",) if name else ("llm", "embeddings"):
                    found = owner.get(what_for)
                    if isinstance(found, Mapping):
                        yield _Client(f"`{what_for}` of {part.get('name')}{name}", found, Place(file=file, key=key))
    found = mapping_of(subject.project.endpoints, "nlg").get("llm")
    if isinstance(found, Mapping):
        yield _Client("`llm` of `nlg`", found, Place(file=subject.project.endpoints_file, key="nlg"))


def _check_client(subject: Subject, client: _Client) -> None:
    settings = client.settings
    if _GROUP in settings:
        if len(settings) > 1:
            others = ", ".join(sorted(str(key) for key in settings if key != _GROUP))
            what = f"{client.name} has more than its `{_GROUP}`: {others}"
            subject.refuse(client.at, what, "write these settings into the model group")
        ids = [str(group.get("id")) for group in mappings_in(subject.project.endpoints, _GROUPS)]
        asked = settings[_GROUP]
        if asked and str(asked) not in ids and subject.project.endpoints_file:
            what = f"{client.name} asks the model group {str(asked)!r}, which endpoints.yml does not have"
            subject.refuse(client.at, what, f"add it to `{_GROUPS}`, or correct the name")
        return
    for key in sorted(_SECRETS & set(settings)):
        fix = "take it out: it comes from the environment, or from a model group"
        subject.refuse(client.at, f"{client.name} has the secret `{key}` in it", fix)
    kind = settings.get("api_type")
    if kind is not None and kind not in _API_TYPES:
        what = f"the `api_type` of {client.name} is {str(kind)!r}, not one of {', '.join(_API_TYPES)}"
        subject.refuse(client.at, what, "name others as `provider`")


def _check_groups(subject: Subject) -> None:
    """Report what is wrong in `model_groups`; a text may come from the environment wherever it has no quotes."""
    at = Place(file=subject.project.endpoints_file, key=_GROUPS)
    groups = list(mappings_in(subject.project.endpoints, _GROUPS))
    ids = [str(group.get("id")) for group in groups]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        subject.refuse(at, f"two of the model groups have the id {name!r}", "give one of them another id")
    for group in groups:
        for what, fix in _faults_of_group(group):
            subject.refuse(at, f"the model group {str(group.get('id'))!r} {what}", fix)
    for place, key in _variables_in_quotes(subject.project.endpoints_file) if groups else ():
        what = f"a model has a variable of the environment in quotes as `{key}`, where it stays as it is written"
        subject.refuse(place, what, "take the quotes away: engines fill it in when they read the file")


def _faults_of_group(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    models, router = group.get("models"), group.get("router")
    if not isinstance(models, list) or not models:
        yield "has no `models`", "list one model at least"
        return
    if len(models) > 1 and "router" not in group:
        yield "has several models and no router", "add `router`, or keep one model"
    for model in models:
        if not isinstance(model, Mapping):
            yield "has a model that is no mapping", "write its `provider` and its `model`"
            continue
        if "api_key_env" in model:
            yield "has `api_key_env`, which is gone", "write `api_key: ${NAME}`"
        if "router" in group and "use_chat_completions_endpoint" in model:
            yield "has `use_chat_completions_endpoint` at a model", "write it below `router`"
        for key in sorted(set(_secrets_in(model))):
            yield f"has `{key}` as a text of its own", f"let it come from the environment: `{key}: ${{NAME}}`"
    strategy = router.get("routing_strategy") if isinstance(router, Mapping) else None
    if strategy and strategy not in _STRATEGIES:
        yield f"has the unknown `routing_strategy` {str(strategy)!r}", f"choose one of {', '.join(_STRATEGIES)}"


def _secrets_in(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of secrets that do not come from the environment, wherever they stand below a model."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _secrets_in(value)
        elif key in _SECRETS and not (isinstance(value, str) and FROM_ENVIRONMENT.fullmatch(value)):
            yield str(key)


def _variables_in_quotes(file: str) -> Iterator[tuple[Place, str]]:
    """Yield where a model has a variable that is not filled in, and its key."""
    tree = Trees().read(Path(file), Problems())
    groups = tree.get(_GROUPS) if tree is not None else None
    lines = read_text(Path(file)).split("\n") if groups is not None else []
    for group in groups.elements() if groups is not None else ():
        models = group.get("models")
        for model in models.elements() if models is not None else ():
            for key, value in model.items():
                at = value.place
                is_text = key not in _LATE and isinstance(value.value, str) and FROM_ENVIRONMENT.match(value.raw)
                if is_text and lines[at.line - 1][at.column - 1 :].startswith(_QUOTES):
                    yield at, key
