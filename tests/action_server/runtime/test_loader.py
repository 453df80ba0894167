"""From a package to its actions, and what is said when that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.errors import LoadError, RegistrationError
from action_server.runtime import loader
from tests.projects import project

ACTION = """
    from rasa_sdk import Action

    class {cls}(Action):
        def name(self):
            return "{name}"

        def run(self, dispatcher, tracker, domain):
            return []
"""


def action(name: str) -> str:
    return ACTION.format(cls="".join(part.title() for part in name.split("_")), name=name)


def names(package: str, *, strict: bool = False) -> list[str]:
    """The names of the actions that come from this package; others' tests have left some in this process."""
    registry = loader.load(package, strict=strict).registry
    return [a.name for a in registry if a.source.startswith(f"{package}.")]


def test_every_module_of_a_package_is_searched(folder: Path) -> None:
    """Modules, sub-packages and modules of sub-packages; a script (`__main__`) is not run."""
    project(
        folder,
        {
            "bot/__init__.py": action("action_top"),
            "bot/one.py": action("action_one"),
            "bot/deep/__init__.py": "",
            "bot/deep/er/__init__.py": action("action_package"),
            "bot/deep/er/still.py": action("action_still"),
            "bot/__main__.py": "raise SystemExit('this is a script')",
        },
    )

    assert sorted(names("bot")) == ["action_one", "action_package", "action_still", "action_top"]


def test_a_single_module_and_a_module_of_a_package_can_be_loaded(folder: Path) -> None:
    """`--actions actions` may be a file, `--actions bot.actions` a part of a package."""
    project(folder, {"single.py": action("action_single")})
    project(folder, {"whole/__init__.py": "", "whole/part.py": action("action_part"), "whole/b.py": "1 / 0"})

    assert names("single") == ["action_single"]
    assert names("whole.part") == ["action_part"]


def test_a_sub_package_is_not_mistaken_for_another_package_of_its_name(folder: Path) -> None:
    """`bot.json` is bot's own, not the standard library's."""
    project(folder, {"mine/__init__.py": "", "mine/json/__init__.py": "", "mine/json/tool.py": action("action_json")})

    assert names("mine") == ["action_json"]


def test_a_class_of_another_package_that_was_imported_counts(folder: Path) -> None:
    """As in rasa-sdk: actions of a library need only be imported."""
    project(folder, {"library.py": action("action_shared"), "user.py": "import library"})

    loaded = loader.load("user").registry

    assert loaded.get("action_shared").source == "library.ActionShared"


def test_abstract_classes_and_base_classes_without_a_name_are_no_actions(folder: Path) -> None:
    """A class others derive from needs no name of its own."""
    text = """
        from abc import ABC, abstractmethod
        from rasa_sdk import Action, FormValidationAction

        class Base(Action):
            async def run(self, dispatcher, tracker, domain):
                return self.work()

        class Abstract(Base, ABC):
            @abstractmethod
            def work(self): ...

        class Form(FormValidationAction):
            pass

        class ValidateIt(Form):
            def name(self):
                return "validate_it"

        class Real(Abstract):
            def name(self):
                return "action_real"

            def work(self):
                return []
    """
    project(folder, {"bases.py": text})

    assert sorted(names("bases")) == ["action_real", "validate_it"]


def test_functions_and_instances_are_registered_by_a_hook(folder: Path) -> None:
    """`register_actions(registry)` of the package is the place for what is not a class of its own."""
    text = """
        from rasa_sdk import Action

        def hello(dispatcher, tracker, domain):
            return []

        def register_actions(registry):
            registry.register_function("action_hello", hello)
    """
    project(folder, {"hooked.py": text})

    assert names("hooked") == ["action_hello"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "cannot import 'broken': there is no such module; looked in"),
        (
            {"broken.py": "\n\nimport missing_library"},
            "broken.py:3: cannot import 'broken': ModuleNotFoundError: No module named 'missing_library'; is it",
        ),
        ({"broken.py": "x = 1\ny = (("}, "broken.py:2: cannot import 'broken': SyntaxError"),
        ({"broken.py": "import sys\nsys.exit(3)"}, "broken.py:2: cannot import 'broken': SystemExit: 3"),
        (
            {"broken/__init__.py": "", "broken/a.py": "from broken import b", "broken/b.py": "\n1 / 0"},
            "broken/b.py:2: cannot import 'broken.a': ZeroDivisionError",
        ),
        (
            {"broken.py": "import json\njson.loads('{')"},
            "broken.py:2: cannot import 'broken': JSONDecodeError",
        ),
    ],
    ids=["no module", "missing library", "syntax error", "sys.exit", "helper module", "error in a library"],
)
def test_a_failing_import_is_named_with_file_and_line(folder: Path, files: dict[str, str], said: str) -> None:
    """The place is the author's own line, not one inside a library, and the message is one line."""
    project(folder, files)

    with pytest.raises(LoadError) as caught:
        loader.load("broken")

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def name(self): return 7", r"broken.py:3: broken.Bad has a name\(\) that returns a int"),
        (
            "def name(self): return 'a'\n    def run(self, dispatcher): pass",
            r"broken.py:3: the run of broken.Bad takes",
        ),
        ("def __init__(self): raise ValueError('no')", "broken.py:3: broken.Bad cannot be made: ValueError: no"),
        ("pass", r"broken.py:3: broken.Bad has a name\(\) that raises NotImplementedError"),
    ],
    ids=["bad name", "wrong arity", "failing __init__", "no name"],
)
def test_a_class_that_cannot_be_an_action_is_named_with_file_and_line(folder: Path, body: str, said: str) -> None:
    """Where rasa-sdk stops with a traceback that names no class."""
    project(folder, {"broken.py": f"from rasa_sdk import Action\n\nclass Bad(Action):\n    {body}\n"})

    with pytest.raises(RegistrationError, match=said):
        loader.load("broken")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("raise ValueError('oh')", "register_actions raised ValueError: oh"),
        ("registry.register_function('a', len)", r"the run of builtins.len takes"),
    ],
)
def test_a_failing_hook_is_named(folder: Path, work: str, said: str) -> None:
    """Whatever goes wrong in register_actions ends the start with one line."""
    project(folder, {"broken.py": f"def register_actions(registry):\n    {work}\n"})

    with pytest.raises(RegistrationError, match=said):
        loader.load("broken")


def test_an_action_may_hold_a_lock(folder: Path) -> None:
    """Actions are made where they run and never travel between processes."""
    text = """
        import threading
        from rasa_sdk import Action

        class ActionLocked(Action):
            def __init__(self):
                self.lock = threading.Lock()

            def name(self):
                return "action_locked"
    """
    project(folder, {"locked.py": text})

    assert names("locked") == ["action_locked"]


LAZY = """
    class Lazy:
        def __getattribute__(self, name):
            raise RuntimeError("nobody may ask it what it is before it is needed")

    settings = Lazy()
"""


def test_a_lazy_object_of_a_module_is_left_alone(folder: Path) -> None:
    """To ask such an object for its class makes it, or fails, as a proxy does outside of a request."""
    project(folder, {"lazy_bot.py": action("action_lazy") + LAZY})

    assert names("lazy_bot") == ["action_lazy"]
