"""Which models an action brings: those of a typed function, or what it is marked with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from action_server.errors import RegistrationError
from action_server.protocol.jsonable import JsonObject

PARAMETERS, RESULT = "__action_parameters__", "__action_result__"

Model = type[BaseModel]


def models_of(run: Callable[..., Any]) -> tuple[Model | None, Model | None]:
    """Return the models of an action's parameters and of its result, None where it has none.

    ``run`` is what is called for it. A typed function's class carries them as attributes of these names.
    """
    owner = getattr(run, "__self__", None)
    holder = run if owner is None else type(owner)
    return _model(getattr(holder, PARAMETERS, None)), _model(getattr(holder, RESULT, None))


def schema_of_model(model: Model, tool: str, place: str) -> JsonObject:
    """Return a model's JSON schema. Raises :class:`RegistrationError` if a field has none."""
    try:
        return model.model_json_schema(by_alias=True, mode="validation")
    except (PydanticInvalidForJsonSchema, PydanticUserError) as exc:
        raise RegistrationError(
            f"the arguments {model.__qualname__} of the tool {tool!r}",
            place,
            f"have no JSON schema ({exc.code or 'type'})",
        ) from exc


def slots_set_by(result: Model) -> list[str]:
    """Return the slots that a result of this model sets: what is excluded is none, what is computed is one."""
    named = [(info.serialization_alias or info.alias or n, info.exclude) for n, info in result.model_fields.items()]
    computed = [info.alias or name for name, info in result.model_computed_fields.items()]
    return [*(str(name) for name, is_excluded in named if not is_excluded), *computed]


def _model(found: object) -> Model | None:
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None
