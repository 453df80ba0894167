"""What a typed function asks for: slots as its types say, the tracker, the dispatcher, the domain, services."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, PydanticUserError, TypeAdapter, create_model
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.types import DomainDict

from action_server.errors import RegistrationError
from action_server.runtime import services
from action_server.runtime.slots import Slots

Kind = Literal["slot", "slots", "tracker", "dispatcher", "domain", "service"]
Fail = Callable[[str], RegistrationError]
"""Makes the error that names the function and its place, of what is wrong with it."""

_GIVEN: dict[object, Kind] = {Tracker: "tracker", CollectingDispatcher: "dispatcher", DomainDict: "domain"}


class _Parameters(Slots, protected_namespaces=()):
    """The base of the models of parameters."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: what it is given, and of which type. ``field`` is that of a slot in the model."""

    name: str
    kind: Kind
    type: Any
    field: str = ""


@dataclass(frozen=True)
class Parameters:
    """All parameters of a function. ``slots`` is the model of its slots, ``model`` that and its `Slots` classes."""

    all: tuple[Parameter, ...]
    slots: type[Slots]
    model: type[Slots]

    @property
    def takes_domain(self) -> bool:
        """Tell whether the function looks at the domain."""
        return any(parameter.kind == "domain" for parameter in self.all)

    def values(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: Any) -> dict[str, Any]:
        """Return the arguments of a call, by name.

        Raises:
            SlotValueError: slots hold something else than the function says.
            ServiceError: a service is not there.
        """
        read = self.slots.read(tracker)
        given = {"dispatcher": dispatcher, "tracker": tracker, "domain": domain}
        found = {}
        for parameter in self.all:
            if parameter.kind == "slot":
                found[parameter.name] = getattr(read, parameter.field)
            elif parameter.kind == "slots":
                found[parameter.name] = parameter.type.read(tracker)
            elif parameter.kind == "service":
                found[parameter.name] = services.get(parameter.type)
            else:
                found[parameter.name] = given[parameter.kind]
        return found


def read_parameters(
    signature: inspect.Signature, hints: Mapping[str, Any], descriptions: Mapping[str, str], fail: Fail
) -> Parameters:
    """Read a function's parameters. ``hints`` are its resolved annotations, ``descriptions`` those of its docstring.

    Raises:
        RegistrationError: one of them can be given nothing; it says which, and what to write instead.
    """
    found: list[Parameter] = []
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        _check_shape(parameter, hints, fail)
        annotation = hints[parameter.name]
        kind, kind_of = _kind(parameter.name, annotation, fail)
        if kind != "slot":
            if parameter.default is not parameter.empty:
                raise fail(f"has a default for {parameter.name!r}, which is no slot; remove it")
            found.append(Parameter(parameter.name, kind, kind_of))
            continue
        field = parameter.name if _is_free(parameter.name) else f"slot_{parameter.name.lstrip('_')}"
        found.append(Parameter(parameter.name, kind, annotation, field))
        fields[field] = (annotation, _field(parameter, annotation, field, descriptions.get(parameter.name)))
    classes = [parameter.type for parameter in found if parameter.kind == "slots"]
    try:
        slots = create_model("Parameters", __base__=_Parameters, **fields)
        model = create_model("Parameters", __base__=(slots, *classes)) if classes else slots
    except (TypeError, PydanticUserError, NameError, SchemaError) as exc:
        problem = str(exc).partition("\n")[0].removeprefix("Parameters ")
        raise fail(f"cannot be given its slots: {problem}") from exc
    return Parameters(tuple(found), slots, model)


def _check_shape(parameter: inspect.Parameter, hints: Mapping[str, Any], fail: Fail) -> None:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise fail(f"takes {star}{name}; name each slot that it needs, or take `tracker: Tracker`")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise fail(f"takes {name!r} by position only; remove the `/`")
    if name not in hints:
        known = {"dispatcher": "CollectingDispatcher", "tracker": "Tracker", "domain": "DomainDict"}
        raise fail(f"has the parameter {name!r} without a type; write `{name}: {known.get(name, 'str | None')}`")
    if isinstance(parameter.default, FieldInfo):
        raise fail(f"has a Field as the default of {name!r}; write `{name}: Annotated[..., Field(...)] = ...`")


def _kind(name: str, annotation: Any, fail: Fail) -> tuple[Kind, Any]:
    """Tell what a parameter is given, and its type without the marks."""
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    bare = get_args(annotation)[0] if marks else annotation
    if services.INJECTED in marks:
        return "service", bare
    if bare in _GIVEN:
        return _GIVEN[bare], bare
    if name == "domain" and (bare is dict or get_origin(bare) is dict or _is_mapping(bare)):
        return "domain", bare
    if isinstance(bare, type) and issubclass(bare, Slots):
        return "slots", bare
    if _is_data(name, annotation, fail):
        return "slot", bare
    if isinstance(bare, type):
        return "service", bare
    raise fail(
        f"has the parameter {name!r} of a type that is neither a slot's nor a service's class; write one that JSON "
        "can hold (str, int, Literal, date, a model, ...), or the class that the lifespan registers"
    )


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_data(name: str, annotation: Any, fail: Fail) -> bool:
    """Tell whether a slot can hold it: pydantic can read it, and JSON can say it."""
    try:
        _ask(annotation, lambda adapter: adapter.json_schema())
    except PydanticUndefinedAnnotation:
        # Of a model that is finished later.
        return True
    except (PydanticUserError, SchemaError, TypeError) as exc:
        if isinstance(exc, PydanticUserError) and exc.code == "typed-dict-version":
            # It is a class, and would be taken for a service's.
            problem = f"has the parameter {name!r} of a TypedDict; before Python 3.12 take that of `typing_extensions`"
            raise fail(problem) from exc
        return False
    return True


def _is_free(name: str) -> bool:
    """Tell whether a field may have this name: a model has methods of its own, and no fields with underscores."""
    return not name.startswith("_") and not hasattr(Slots, name)


def _field(parameter: inspect.Parameter, annotation: Any, field: str, description: str | None) -> Any:
    annotated = FieldInfo.from_annotation(annotation)
    options: dict[str, Any] = {}
    if description and not annotated.description:
        options["description"] = description
    if field != parameter.name and not annotated.alias:
        options["alias"] = parameter.name
    if parameter.default is not parameter.empty:
        options["default"] = parameter.default
    elif annotated.is_required() and _takes_none(annotation):
        # To a function null is a value; a field of that type would be required.
        options["default"] = None
    return Field(**options)


def _takes_none(annotation: Any) -> bool:
    try:
        return _ask(annotation, lambda adapter: adapter.validate_python(None)) is None
    except (ValueError, PydanticUserError):
        return False


def _ask(annotation: Any, question: Callable[[TypeAdapter[Any]], object]) -> object:
    with warnings.catch_warnings():
        # An alias has no effect outside of a model, a default that JSON cannot say is left out of a schema: all fine.
        warnings.simplefilter("ignore")
        return question(TypeAdapter(annotation))
