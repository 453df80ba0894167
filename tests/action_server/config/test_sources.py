"""What the environment and endpoints.yml give, and what of it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from action_server.config import settings
from action_server.config.settings import Settings
from action_server.config.sources import ENVIRONMENT_PREFIX
from action_server.errors import SettingsError
from tests.action_server.config.started import SECRET, read, refused

pytestmark = pytest.mark.usefixtures("folder")


BAD_VARIABLES = [
    ("ACTION_SERVER__PORT", SECRET),
    ("ACTION_SERVER__STRICT", SECRET),
    ("ACTION_SERVER__AUTO_RELOAD", "2"),
    ("ACTION_SERVER__GRACE", SECRET),
    ("ACTION_SERVER__LOG_FORMAT", SECRET),
    ("ACTION_SERVER__SERVICES", SECRET),
    ("ACTION_SERVER_SANIC_WORKERS", SECRET),
    ("LOG_LEVEL_LIBRARIES", SECRET),
]


@pytest.mark.parametrize(("variable", "value"), BAD_VARIABLES, ids=[v[0] for v in BAD_VARIABLES])
def test_a_bad_variable_is_named(variable: str, value: str) -> None:
    """The message begins with the variable, rasa-sdk's own included."""
    assert refused(**{variable: value}).where == variable


BAD_ENTRIES = [
    ("port: sEcReT", "port"),
    ("port:", "port"),
    ("port: [5055]", "port"),
    ("workers: {a: sEcReT}", "workers"),
    ("strict: sEcReT", "strict"),
    ("cors: {sEcReT: 1}", "cors"),
    ("cors: [1]", "cors.0"),
    ("log_level:", "log_level"),
    ("ssl_password: [sEcReT]", "ssl_password"),
    ("services: sEcReT", "services"),
    ("services: [sEcReT]", "services"),
    ("services:", "services"),
    ("actions: [actions]", "actions"),
    ("database: mysql://sEcReT@host/name", "database"),
    ("database: ..", "database"),
]


@pytest.mark.parametrize(("line", "name"), BAD_ENTRIES, ids=[e[0] for e in BAD_ENTRIES])
def test_a_bad_entry_of_the_file_is_named(line: str, name: str) -> None:
    """The message begins with the file and the entry."""
    assert refused(file=f"action_server:\n  {line}\n").where == f"endpoints.yml: action_server.{name}"


def test_the_bad_one_of_two_sources_is_named() -> None:
    """A good flag over a bad entry hides it; a bad variable over a good entry is the variable's fault."""
    assert read("--port", "80", file="action_server:\n  port: x\n").port == 80
    assert refused(file="action_server:\n  port: 80\n", ACTION_SERVER__PORT="x").where == "ACTION_SERVER__PORT"


UNKNOWN = [
    ("prot", "did you mean 'port'?"),
    ("Port", "did you mean 'port'?"),
    ("max-domains", "did you mean 'max_domains'?"),
    ("ssl_pasword", "did you mean 'ssl_password'?"),
    ("1", "`action-server help settings` lists them"),
    ("null", "`action-server help settings` lists them"),
]


@pytest.mark.parametrize(("name", "hint"), UNKNOWN)
def test_an_unknown_entry_of_the_file_is_refused(name: str, hint: str) -> None:
    """A typing error is no silent default: the message names the entry, and the setting that may be meant."""
    error = refused(file=f"action_server:\n  {name}: {SECRET}\n")

    assert error.where.startswith("endpoints.yml: action_server.")
    assert error.problem == f"there is no such setting; {hint}"


def test_an_unknown_variable_of_ours_is_refused() -> None:
    """A typing error in a variable is no more silent than one in the file."""
    error = refused(ACTION_SERVER__PROT="80")

    assert error.where == "ACTION_SERVER__PROT"
    assert error.problem == "there is no such setting; did you mean 'ACTION_SERVER__PORT'?"


BELOW = [
    ("auth: {token: x}", "auth.token", "tokens"),
    ("auth: {jwt: {algorithms: HS256, secrets: x}}", "auth.jwt.secrets", "secret"),
    ("auth: {basic: [{username: x, password: y, pasword: z}]}", "auth.basic.0.pasword", "password"),
    ("actions: {action_x: {timeuot: 3}}", "actions.action_x.timeuot", "timeout"),
]


@pytest.mark.parametrize(("line", "where", "near"), BELOW, ids=[b[1] for b in BELOW])
def test_an_unknown_entry_of_a_group_is_refused_with_the_one_that_may_be_meant(
    line: str, where: str, near: str
) -> None:
    """As at the top."""
    error = refused(file=f"action_server:\n  {line}\n")

    assert error.where == f"endpoints.yml: action_server.{where}"
    assert error.problem.endswith(f"; did you mean {near!r}?")


@pytest.mark.parametrize("flag", [["--metrics"], ["--cors", "*"], ["--header-timeout", "3"]], ids=lambda flag: flag[0])
def test_a_flag_that_does_nothing_over_grpc_is_refused(flag: list[str]) -> None:
    """In a file, which servers of both kinds may share, it may stand."""
    assert refused("--grpc", *flag).where == flag[0]
    assert read("--grpc", file="action_server:\n  metrics: true\n").metrics


OTHER_FILES = [
    ("empty", ""),
    ("only a comment", "# nothing\n"),
    ("a list", "- action_server\n"),
    ("text", "action_server\n"),
    ("an engine's own", 'action_endpoint:\n  url: "http://localhost:5055/webhook"\n'),
    ("an empty block", "action_server:\n"),
]


@pytest.mark.parametrize("file", [f[1] for f in OTHER_FILES], ids=[f[0] for f in OTHER_FILES])
def test_a_file_without_settings_of_ours_is_fine(file: str) -> None:
    """endpoints.yml belongs to Rasa; we only read our block."""
    assert dict(read(file=file)) == dict(Settings())


@pytest.mark.parametrize("block", ["5055", "[port]", "text", "false"])
def test_a_block_that_holds_no_settings_is_refused(block: str) -> None:
    """The message says how it must look."""
    error = refused(file=f"action_server: {block}\n")

    assert error.where == "endpoints.yml: action_server"


BROKEN = [
    ("a bracket", "a: 1\nb: [sEcReT\n", "(line 3, column 1)"),
    ("a tab", "action_server:\n\tport: 1\n", "(line 2, column 1)"),
    ("a key twice", "a: sEcReT\na: sEcReT\n", "(line 2, column 1)"),
    ("two documents", "a: 1\n---\nb: 2\n", "(line 2, column 1)"),
    ("an unknown anchor", "a: *sEcReT\n", "(line 1, column 4)"),
    ("a Python object", "a: !!python/object:os.system {}\n", "(line 1, column 4)"),
    ("bytes that are no UTF-8", b"a: \xe9\n", "endpoints.yml: cannot be read as UTF-8 text (at byte 3)"),
    ("a zero byte", "a: \0\n", "endpoints.yml: cannot be read as YAML"),
]


@pytest.mark.parametrize(("file", "place"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_broken_file_is_named_with_the_place(file: str | bytes, place: str) -> None:
    """The message names the file, the line and the column, and shows nothing of the file."""
    error = refused(file=file)

    assert error.where == "endpoints.yml"
    assert place in str(error)


RAISING = {
    "a date that is none": "a: 2025-13-45\n",
    "a number without end": f"a: {'9' * 5000}\n",
    "a tag with a wrong value": "a: !!int sEcReT\n",
    "a tag with a wrong truth": "a: !!bool sEcReT\n",
    "a tag without a value": "a: !!int ''\n",
    "brackets without end": "a: " + "[" * 400 + "\n",
}


@pytest.mark.parametrize("file", RAISING.values(), ids=RAISING.keys())
def test_a_file_that_yaml_cannot_construct_is_refused(file: str) -> None:
    """Wherever in endpoints.yml it stands, it is one line and exit code 2, not a traceback."""
    assert refused(file=file).where == "endpoints.yml"


def test_a_file_given_by_a_flag_must_be_there() -> None:
    """Only the default one may be missing."""
    assert refused("--endpoints", "nowhere.yml").where == "--endpoints"


def test_a_file_given_by_a_variable_must_be_there() -> None:
    """It is the variable that is wrong then."""
    assert refused(ACTION_SERVER__ENDPOINTS="nowhere.yml").where == "ACTION_SERVER__ENDPOINTS"


def test_a_file_whose_name_is_too_long_is_not_there() -> None:
    """A name no file can have is refused in words as well."""
    assert refused("--endpoints", "a" * 300).where == "--endpoints"


def test_a_folder_is_no_file(folder: Path) -> None:
    """It is there, and cannot be read; the message says which flag or variable gave it."""
    assert refused("--endpoints", str(folder)).where == "--endpoints"
    assert refused(ACTION_SERVER__ENDPOINTS=str(folder)).where == "ACTION_SERVER__ENDPOINTS"


@pytest.mark.parametrize("source", ["flag", "variable"])
def test_another_file_can_be_named(source: str, folder: Path) -> None:
    """Then the one in the folder is not looked at."""
    (folder / "other.yml").write_text("action_server:\n  port: 80\n")
    mine = "action_server:\n  workers: 2\n"

    if source == "flag":
        found = read("--endpoints", "other.yml", file=mine)
    else:
        found = read(file=mine, ACTION_SERVER__ENDPOINTS="other.yml")

    assert (found.port, found.workers, found.endpoints) == (80, 1, Path("other.yml"))


SERVICES = """\
action_server:
  services:
    crm:
      kind: hubspot
      url: https://example.org
      retry: {times: 3}
    calendar: local
"""


def test_services_of_the_file_are_handed_on() -> None:
    """As they stand there."""
    assert read(file=SERVICES).services == {
        "crm": {"kind": "hubspot", "url": "https://example.org", "retry": {"times": 3}},
        "calendar": "local",
    }


def test_services_of_the_environment_stand_over_those_of_the_file() -> None:
    """Entry by entry, however deep: a token is added, a URL replaced, the rest stays."""
    found = read(
        file=SERVICES,
        ACTION_SERVER__SERVICES__CRM__TOKEN=SECRET,
        ACTION_SERVER__SERVICES__CRM__URL="https://example.com",
        ACTION_SERVER__SERVICES__CRM__RETRY__TIMES="5",
        ACTION_SERVER__SERVICES__SMS__KEY="k",
    )

    assert found.services == {
        "crm": {"kind": "hubspot", "url": "https://example.com", "retry": {"times": "5"}, "token": SECRET},
        "calendar": "local",
        "sms": {"key": "k"},
    }


def test_services_of_the_environment_need_no_file() -> None:
    """A container has no endpoints.yml."""
    assert read(ACTION_SERVER__SERVICES__CRM__TOKEN="t").services == {"crm": {"token": "t"}}


def test_a_group_of_services_stands_over_a_single_value() -> None:
    """What the environment says last, counts."""
    assert read(file=SERVICES, ACTION_SERVER__SERVICES__CALENDAR__KIND="caldav").services["calendar"] == {
        "kind": "caldav"
    }


@pytest.mark.parametrize("first", ["CRM", "CRM__TOKEN"], ids=["value first", "group first"])
def test_a_service_that_is_a_value_and_a_group_is_refused(first: str) -> None:
    """Two variables contradict each other, in whatever order they stand: that is one line, not a traceback."""
    names = sorted(("CRM", "CRM__TOKEN"), key=lambda name: name != first)

    error = refused(**{f"ACTION_SERVER__SERVICES__{name}": SECRET for name in names})

    assert error.where == f"ACTION_SERVER__SERVICES__{names[1]}"


flag_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
variables = st.sampled_from(
    [f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields if name != "endpoints"]
    + ["SANIC_HOST", "ACTION_SERVER_SANIC_WORKERS", "LOG_LEVEL_LIBRARIES", "ACTION_SERVER__SERVICES__A"]
)


@hypothesis_settings(deadline=None, max_examples=150)
@given(st.dictionaries(variables, flag_texts.map(lambda text: f"{text}{SECRET}"), min_size=1, max_size=3))
def test_any_environment_is_read_or_refused_by_a_variables_name(environment: Mapping[str, str]) -> None:
    """Nothing else is raised, and a value is never shown."""
    error = None
    try:
        settings.read({}, environment)
    except SettingsError as exc:
        error = exc
    assert error is None or (error.where in environment and SECRET not in str(error))
