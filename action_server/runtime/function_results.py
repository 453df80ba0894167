"""What a typed function returns: the slots of a model, a dataclass or a dict, and events as they are."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, ConfigDict, Field, RootModel, create_model
from rasa_sdk.events import EventType, SlotSet

from action_server.errors import NotJsonableError
from action_server.protocol.jsonable import jsonable
from action_server.runtime.slots import Slots


class _Result(BaseModel):
    """The base of models made of other kinds of classes. They say what there is and check nothing."""

    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True, protected_namespaces=())


def events_of(returned: object, function: str) -> list[EventType]:
    """Return the events that a function meant by what it returned.

    A model, a dataclass, a named tuple and a dict are a `SlotSet` for each field or key, values made of what JSON
    knows; of `Slots` only what was changed. Events stay as they are, in lists or alone, and may stand beside the others
    in a tuple.

    Raises:
        NotJsonableError: it is none of these (``function`` is named in it), or a slot's value has no JSON form.
    """
    if returned is None:
        return []
    if isinstance(returned, (str, bytes)) or not (_is_record(returned) or isinstance(returned, Iterable)):
        raise NotJsonableError(f"what {function} returned", type(returned).__name__, "is neither slots nor events")
    return list(_events(returned))


def _events(returned: Any) -> Iterator[EventType]:
    if isinstance(returned, RootModel):
        returned = returned.root
    if isinstance(returned, Slots):
        yield from returned.changed()
    elif isinstance(returned, Mapping) and _is_event(returned):
        yield returned
    elif _is_record(returned):
        for name, value in _fields(returned).items():
            yield SlotSet(name, jsonable(value, name))
    elif isinstance(returned, Iterable) and not isinstance(returned, (str, bytes)):
        for item in returned:
            yield from _events(item)
    elif returned is not None:
        # Left to the server, which repairs what it can and says what it drops.
        yield returned


def _is_event(returned: Mapping[Any, Any]) -> bool:
    # All events of rasa_sdk.events have both; a slot that happens to be called "event" stands alone.
    return isinstance(returned.get("event"), str) and "timestamp" in returned


def _is_record(returned: object) -> bool:
    is_dataclass = dataclasses.is_dataclass(returned) and not isinstance(returned, type)
    return is_dataclass or isinstance(returned, (BaseModel, Mapping)) or _is_named_tuple(type(returned))


def _is_named_tuple(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _is_typed_dict(kind: object) -> bool:
    # Before Python 3.12 pydantic asks for that of typing_extensions, which `is_typeddict` does not know.
    return is_typeddict(kind) or (isinstance(kind, type) and issubclass(kind, dict) and hasattr(kind, "__total__"))


def _fields(record: Any) -> Mapping[str, Any]:
    if isinstance(record, BaseModel):
        return record.model_dump(by_alias=True, warnings=False)
    if isinstance(record, Mapping):
        return {str(name): value for name, value in record.items()}
    if _is_named_tuple(type(record)):
        return dict(record._asdict())
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def result_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model of the slots that a return annotation promises; None where it names none, as for a dict.

    Of several classes (``Booked | Refused``) one model has all fields, those that only some have being optional.

    Raises:
        TypeError: it is nothing that an action can return.
    """
    models = [cls if issubclass(cls, BaseModel) else _model_of(cls) for cls in _records(annotation)]
    return _merge(models) if len(models) > 1 else next(iter(models), None)


def _records(annotation: Any) -> Iterator[type[Any]]:
    """Yield the classes in an annotation whose fields are slots."""
    annotation = getattr(annotation, "__value__", annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    kind = origin or annotation
    if annotation in (None, type(None), Any, object):
        return
    if origin is Annotated:
        yield from _records(arguments[0])
    elif origin in (Union, types.UnionType) or origin is tuple:
        for argument in arguments:
            if argument is not Ellipsis:
                yield from _records(argument)
    elif _is_typed_dict(kind) or dataclasses.is_dataclass(kind) or _is_named_tuple(kind):
        yield kind
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if not issubclass(kind, RootModel):
            # With its arguments, of a generic model.
            yield annotation if isinstance(annotation, type) else kind
    elif not isinstance(kind, type) or not issubclass(kind, Iterable) or issubclass(kind, (str, bytes)):
        raise TypeError(getattr(kind, "__name__", str(kind)))


def _model_of(cls: type[Any]) -> type[BaseModel]:
    """Return the model of a dataclass, a named tuple or a TypedDict."""
    hints = get_type_hints(cls, include_extras=True)
    if dataclasses.is_dataclass(cls):
        optional = {f.name for f in dataclasses.fields(cls) if not _is_required(f)}
        hints = {f.name: hints[f.name] for f in dataclasses.fields(cls)}
    elif _is_named_tuple(cls):
        optional = set(getattr(cls, "_field_defaults", ()))
        hints = {name: hints.get(name, Any) for name in getattr(cls, "_fields", ())}
    else:
        optional = set(getattr(cls, "__optional_keys__", ()))
    fields: dict[str, Any] = {
        name: (_without_marks(hint), None if name in optional else ...) for name, hint in hints.items()
    }
    return create_model(cls.__name__, __base__=_Result, __module__=cls.__module__, __doc__=cls.__doc__, **fields)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _without_marks(hint: Any) -> Any:
    """Return the type in `Required[...]` and `NotRequired[...]`, which Python 3.10 has from another library."""
    while getattr(get_origin(hint), "_name", "") in ("Required", "NotRequired", "ReadOnly"):
        (hint,) = get_args(hint)
    return hint


def _merge(models: list[type[BaseModel]]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name in dict.fromkeys(name for model in models for name in model.model_fields):
        found = [model.model_fields[name] for model in models if name in model.model_fields]
        is_everywhere = len(found) == len(models) and all(field.is_required() for field in found)
        kinds = [field.annotation for field in found] + ([] if is_everywhere else [type(None)])
        alias = found[0].serialization_alias or found[0].alias
        excluded = all(field.exclude for field in found) or None
        info = Field(... if is_everywhere else None, description=found[0].description, alias=alias, exclude=excluded)
        fields[name] = (Union[tuple(kinds)], info)  # noqa: UP007 - of as many as there are
    for name, computed in (pair for model in models for pair in model.model_computed_fields.items()):
        fields.setdefault(name, (Any, Field(None, description=computed.description, alias=computed.alias)))
    return create_model("Or".join(model.__name__ for model in models), __base__=_Result, **fields)
