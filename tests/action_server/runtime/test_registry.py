"""The registry: names, arguments, duplicates, and which actions read their domain."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk import Action, FormValidationAction, ValidationAction
from rasa_sdk.knowledge_base.actions import ActionQueryKnowledgeBase
from rasa_sdk.knowledge_base.storage import InMemoryKnowledgeBase

from action_server.errors import ActionNotFoundError, DuplicateActionError, RegistrationError
from action_server.runtime.registry import Registry, reads_domain


class Named(Action):
    def __init__(self, name: Any = "action_named") -> None:
        self._name = name

    def name(self) -> Any:
        return self._name

    def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        return []


def plain(dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
    return []


def test_a_class_is_registered_under_the_name_it_gives() -> None:
    """The registered action knows where its code is and how it runs."""
    registry = Registry()
    registry.register_action(Named)

    action = registry.get("action_named")

    assert action.source == f"{__name__}.Named"
    assert action.place.startswith("tests/action_server/runtime/test_registry.py:")
    assert (action.is_async, len(registry)) == (False, 1)


def test_an_instance_and_a_function_can_be_registered() -> None:
    """As with rasa-sdk's executor: `register_action(instance)` and `register_function(name, function)`."""
    registry = Registry()
    registry.register_action(Named("action_instance"))
    registry.register_function("action_function", plain)

    assert [action.name for action in registry] == ["action_instance", "action_function"]


def test_validation_form_and_knowledge_base_actions_can_be_registered(tmp_path: Path) -> None:
    """rasa-sdk's base classes for more than plain actions work."""
    (tmp_path / "empty.json").write_text("{}")

    class ValidateForm(FormValidationAction):
        def name(self) -> str:
            return "validate_form"

    registry = Registry()
    registry.register_action(ValidationAction)
    registry.register_action(ValidateForm)
    registry.register_action(ActionQueryKnowledgeBase(InMemoryKnowledgeBase(str(tmp_path / "empty.json"))))

    assert {a.name: (a.is_async, a.reads_domain) for a in registry} == {
        "action_validate_slot_mappings": (True, True),
        "validate_form": (True, True),
        "action_query_knowledge_base": (True, False),
    }


def test_an_unknown_name_is_an_error_that_carries_it() -> None:
    """The message is rasa-sdk's, which the contract compares."""
    with pytest.raises(ActionNotFoundError, match="No registered action found for name 'action_x'") as caught:
        Registry().get("action_x")

    assert caught.value.action == "action_x"


def test_of_two_actions_with_one_name_the_last_wins_and_both_places_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A warning names the action, the place that is used and the one that is not."""
    registry = Registry()
    registry.register_function("action_named", plain)
    registry.register_action(Named)

    assert registry.get("action_named").source.endswith("Named")
    (record,) = [r for r in caplog.records if r.msg == "action.registered_twice"]
    assert record.levelno == logging.WARNING
    facts = vars(record)
    assert facts["action"] == "action_named"
    assert facts["used"] != facts["replaced"]
    assert facts["used"].startswith("tests/action_server/runtime/test_registry.py:")


def test_strict_refuses_the_second_action_of_a_name() -> None:
    """The error names both places."""
    registry = Registry(strict=True)
    registry.register_function("action_named", plain)

    with pytest.raises(DuplicateActionError, match=r"already registered at tests/\S+/test_registry.py:\d+"):
        registry.register_action(Named)


def test_the_same_action_twice_is_no_duplicate(caplog: pytest.LogCaptureFixture) -> None:
    """Registering a class again, as a reload does, is neither refused nor warned about."""
    registry = Registry(strict=True)
    registry.register_action(Named)
    registry.register_action(Named)

    assert len(registry) == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "returns a NoneType"),
        (7, "returns a int"),
        ("", "returns an empty string"),
        ("  ", "returns an empty string"),
    ],
)
def test_a_bad_name_is_refused_with_its_place(name: object, said: str) -> None:
    """The error says what name() returned and where the class is."""
    with pytest.raises(RegistrationError, match=rf"test_registry.py:\d+: .*Named has a name\(\) that {said}"):
        Registry().register_action(Named(name))


def test_a_name_that_raises_is_refused_with_its_place() -> None:
    """A class that nobody gave a name says so itself."""

    class Nameless(Action):
        pass

    with pytest.raises(RegistrationError, match=r"Nameless has a name\(\) that raises NotImplementedError"):
        Registry().register_action(Nameless)


def test_a_class_that_cannot_be_made_is_refused_with_its_place() -> None:
    """An `__init__` with arguments: the server would not know them."""

    class Needy(Named):
        def __init__(self, client: object) -> None:
            super().__init__("action_needy")

    with pytest.raises(RegistrationError, match=r"test_registry.py:\d+: .*Needy cannot be made: TypeError"):
        Registry().register_action(Needy)


def test_something_that_is_no_action_is_refused() -> None:
    """A plain class is pointed to register_function."""
    with pytest.raises(RegistrationError, match="is not an Action; use register_function"):
        Registry().register_action(object)


def test_a_function_that_can_take_any_arguments_is_accepted() -> None:
    """What cannot be told to be wrong is not refused."""
    registry = Registry()
    registry.register_function("action_any", lambda *args: None)
    registry.register_function("action_c", print)

    assert len(registry) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda: None,
        lambda dispatcher, tracker: None,
        lambda dispatcher, tracker, domain, extra: None,
    ],
    ids=["none", "two", "four"],
)
def test_a_run_of_wrong_arity_is_refused_with_its_place(function: Callable[..., Any]) -> None:
    """The error shows the arguments it takes and the ones an action takes."""
    with pytest.raises(RegistrationError, match=r"test_registry.py:\d+: the run of .* an action takes three arguments"):
        Registry().register_function("action_x", function)


def ignores(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    return tracker


def reads(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    return domain["slots"]


def passes_on(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    return reads(dispatcher, tracker, domain)


def closes_over(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    return lambda: domain


def looks_at_locals(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    return locals()


def overwrites(dispatcher: Any, tracker: Any, domain: Any) -> Any:
    domain = None
    del domain


def takes_any(*args: Any) -> Any:
    return args


@functools.wraps(ignores)
def wrapped(*args: Any, **kwargs: Any) -> Any:
    return ignores(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (ignores, False),
        (Named().run, False),
        (overwrites, False),
        (reads, True),
        (passes_on, True),
        (closes_over, True),
        (looks_at_locals, True),
        (takes_any, True),
        (wrapped, True),
        (functools.partial(ignores), True),
        (print, True),
    ],
    ids=lambda x: getattr(x, "__name__", type(x).__name__ if callable(x) else str(x)),
)
def test_whether_an_action_reads_its_domain(function: Callable[..., Any], expected: bool) -> None:
    """False only where the code provably never looks at it; everything unclear counts as reading."""
    assert reads_domain(function) is expected
