"""What is read from a project is used: a field that nobody reads is a promise that nobody keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from action_server.project import domain, flows, places, project
from action_server.project.python import facts

PLATFORM = Path(project.__file__).parents[1]
MODELS = sorted(
    {
        found
        for module in (domain, facts, flows, places, project)
        for found in vars(module).values()
        if isinstance(found, type) and found.__module__ == module.__name__
        if issubclass(found, BaseModel) or is_dataclass(found)
    },
    key=lambda model: model.__qualname__,
)


def attributes_read() -> Iterator[str]:
    """The names of all attributes that the platform reads, but for the modules that fill the models."""
    for path in PLATFORM.rglob("*.py"):
        if path.name.endswith("_reader.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                yield node.attr


READ = frozenset(attributes_read())
# Read as a whole: actions are sent it with the domain.
READ_AS_JSON = {"session_expiration_time"}


def field_names(model: type) -> list[str]:
    if issubclass(model, BaseModel):
        return list(model.model_fields)
    return [field.name for field in fields(model)] if is_dataclass(model) else []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_read(model: type) -> None:
    """Each field of what stands for a project is read by somebody other than its reader."""
    assert [name for name in field_names(model) if name not in READ | READ_AS_JSON] == []


def test_a_field_that_nobody_reads_is_found() -> None:
    """The guard itself sees one."""

    class Planted(BaseModel):
        name: str
        never_read_by_anybody: str = ""

    assert [name for name in field_names(Planted) if name not in READ] == ["never_read_by_anybody"]
