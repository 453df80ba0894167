"""Settings come from flags, the environment, the file and defaults, in this order, and a bad one is named."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from action_server.config import settings
from action_server.config.flags import flag_of
from action_server.config.settings import Settings
from action_server.errors import SettingsError
from action_server.telemetry.logs import LogSettings

SECRET = "sEcReT"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, where the server is started; it has no endpoints.yml yet."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parse(*arguments: str) -> dict[str, Any]:
    """What the command line makes of its flags."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    settings.add_flags(parser)
    return vars(parser.parse_args(arguments))


def read(*flags: str, file: str | bytes | None = None, **environment: str) -> Settings:
    """The settings of a server started like this in a folder with this endpoints.yml."""
    if file is not None:
        Path("endpoints.yml").write_bytes(file.encode() if isinstance(file, str) else file)
    return settings.read(parse(*flags), environment)


def refused(*flags: str, file: str | bytes | None = None, **environment: str) -> SettingsError:
    """The error of such a start: one line, and no value in it."""
    with pytest.raises(SettingsError) as error:
        read(*flags, file=file, **environment)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)
    return error.value


# A setting, its flag and variables, how each source gives it, and what comes out of each.
SOURCES: list[tuple[str, list[str], dict[str, str], dict[str, str], str, list[Any], Any]] = [
    # name, flags, ACTION_SERVER__..., rasa-sdk's own variable, file, what they come to in this order, default
    (
        "port",
        ["-p", "1001"],
        {"ACTION_SERVER__PORT": "1002"},
        {},
        "port: 1004",
        [1001, 1002, 1004],
        5055,
    ),
    (
        "host",
        ["--host", "flag"],
        {"ACTION_SERVER__HOST": "variable"},
        {"SANIC_HOST": "sdk"},
        "host: file",
        ["flag", "variable", "sdk", "file"],
        "0.0.0.0",  # noqa: S104 - rasa-sdk's default
    ),
    (
        "workers",
        ["--workers", "1"],
        {"ACTION_SERVER__WORKERS": "2"},
        {"ACTION_SERVER_SANIC_WORKERS": "3"},
        "workers: 4",
        [1, 2, 3, 4],
        1,
    ),
    (
        "log_level_libraries",
        ["--log-level-libraries", "debug"],
        {"ACTION_SERVER__LOG_LEVEL_LIBRARIES": "info"},
        {"LOG_LEVEL_LIBRARIES": "warning"},
        "log_level_libraries: critical",
        ["DEBUG", "INFO", "WARNING", "CRITICAL"],
        "ERROR",
    ),
    ("grace", ["--grace", "0"], {"ACTION_SERVER__GRACE": "1.5"}, {}, "grace: 2.5", [0.0, 1.5, 2.5], 30.0),
    ("strict", ["--strict"], {"ACTION_SERVER__STRICT": "0"}, {}, "strict: true", [True, False, True], False),
    (
        "cors",
        ["--cors", "http://a", "http://b"],
        {"ACTION_SERVER__CORS": "http://c http://d"},
        {},
        "cors: [http://e]",
        [("http://a", "http://b"), ("http://c", "http://d"), ("http://e",)],
        (),
    ),
    (
        "ssl_certificate",
        ["--ssl-certificate", "flag.pem"],
        {"ACTION_SERVER__SSL_CERTIFICATE": "variable.pem"},
        {},
        "ssl_certificate: file.pem",
        [Path("flag.pem"), Path("variable.pem"), Path("file.pem")],
        None,
    ),
    (
        "actions",
        ["--actions", "flag"],
        {"ACTION_SERVER__ACTIONS": "variable.module"},
        {},
        "actions: file",
        ["flag", "variable.module", "file"],
        "actions",
    ),
    (
        "log_format",
        ["--log-format", "json"],
        {"ACTION_SERVER__LOG_FORMAT": "console"},
        {},
        "log_format: json",
        ["json", "console", "json"],
        "console",
    ),
]


@pytest.mark.parametrize("source", SOURCES, ids=[s[0] for s in SOURCES])
def test_the_nearest_source_of_a_setting_wins(
    source: tuple[str, list[str], dict[str, str], dict[str, str], str, list[Any], Any],
) -> None:
    """Flag, then our variable, then rasa-sdk's, then the file, then the default."""
    name, flags, variable, sdk_variable, line, expected, default = source
    file = f"action_server:\n  {line}\n"

    found = [getattr(read(*flags, file=file, **variable, **sdk_variable), name)]
    found.append(getattr(read(file=file, **variable, **sdk_variable), name))
    if sdk_variable:
        found.append(getattr(read(file=file, **sdk_variable), name))
    found.append(getattr(read(file=file), name))

    assert found == expected
    assert getattr(read(file=""), name) == default


def test_without_any_source_there_are_rasa_sdks_defaults() -> None:
    """An empty folder, no flag and no variable are enough to start."""
    found = read()

    assert (found.host, found.port, found.actions, found.workers) == ("0.0.0.0", 5055, "actions", 1)  # noqa: S104
    assert found.endpoints == Path("endpoints.yml")
    assert found == Settings()


def test_an_empty_variable_is_none() -> None:
    """`SANIC_HOST=` in an environment file means that it is not set."""
    assert read(SANIC_HOST="", ACTION_SERVER__PORT="", ACTION_SERVER__STRICT="") == Settings()


def test_a_variable_kubernetes_sets_is_ignored() -> None:
    """For a service called action-server every pod gets ACTION_SERVER_PORT, which is a URL."""
    found = read(ACTION_SERVER_PORT="tcp://10.0.0.1:5055", ACTION_SERVER_SERVICE_HOST="10.0.0.1", PORT="1", HOST="x")

    assert found == Settings()


FLAGS: list[tuple[list[str], str, Any]] = [
    (["-p", "80"], "port", 80),
    (["--port", "0"], "port", 0),
    (["--cors"], "cors", ()),
    (["--cors", "*"], "cors", ("*",)),
    (["--cors", "http://a", "http://b"], "cors", ("http://a", "http://b")),
    (["--actions", "bot.actions"], "actions", "bot.actions"),
    (["--actions-module", "bot.actions"], "actions", "bot.actions"),
    (["--ssl-keyfile", "key.pem"], "ssl_keyfile", Path("key.pem")),
    (["--ssl-certificate", "cert.pem"], "ssl_certificate", Path("cert.pem")),
    (["--ssl-ca-file", "ca.pem"], "ssl_ca_file", Path("ca.pem")),
    (["--auto-reload"], "auto_reload", True),
    (["--grpc"], "grpc", True),
    (["-v"], "log_level", "INFO"),
    (["--verbose"], "log_level", "INFO"),
    (["-vv"], "log_level", "DEBUG"),
    (["--debug"], "log_level", "DEBUG"),
    (["--quiet"], "log_level", "WARNING"),
    (["--log-level", "error"], "log_level", "ERROR"),
    (["--log-file", "a.log"], "log_file", Path("a.log")),
    (["--logging-config_file", "log.yml"], "logging_config_file", Path("log.yml")),
    (["--logging-config-file", "log.yml"], "logging_config_file", Path("log.yml")),
]


@pytest.mark.parametrize(("flags", "name", "value"), FLAGS, ids=[" ".join(f[0]) for f in FLAGS])
def test_a_flag_of_rasa_sdk_sets(flags: list[str], name: str, value: Any) -> None:
    """Each flag of `python -m rasa_sdk` means what it means there, and changes nothing else."""
    assert read(*flags) == Settings(**{name: value})


def test_every_setting_without_a_structure_of_its_own_has_a_flag() -> None:
    """Services, credentials and options of single actions are no flags."""
    without = [name for name, field in Settings.model_fields.items() if flag_of(field) is None]

    assert without == ["log_levels", "action_options", "auth", "services"]


def test_every_flag_says_what_it_does() -> None:
    """`--help` has a text for each, with the default where there is one."""
    parser = argparse.ArgumentParser(prog="x")
    settings.add_flags(parser)
    described = {action.dest: action.help for action in parser._actions}

    assert all(described.values())
    assert described["port"] == "port to listen on; 0 takes a free one (default: 5055)"
    assert "%" not in parser.format_help()


def test_a_password_is_a_secret_whatever_shows_the_settings() -> None:
    """It is there for who asks for it, and in no text about the settings."""
    found = read("--ssl-password", SECRET)

    assert found.ssl_password is not None
    assert found.ssl_password.get_secret_value() == SECRET
    assert SECRET not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_the_services_settings_are_in_no_text_about_the_settings() -> None:
    """Tokens of CRMs stand there."""
    assert SECRET not in repr(read(ACTION_SERVER__SERVICES__CRM__TOKEN=SECRET))


def test_settings_do_not_change() -> None:
    """What was read at the start is what every part of the server sees."""
    with pytest.raises(ValueError, match="frozen"):
        read().port = 1


def test_the_log_settings_are_those_of_logs() -> None:
    """Each goes where it belongs."""
    found = read("-vv", "--log-format", "json", "--log-file", "a.log", LOG_LEVEL_LIBRARIES="info")

    assert found.logs == LogSettings("DEBUG", "INFO", "json", Path("a.log"), None)


BAD_FLAGS = [
    ("--port", "http"),
    ("--port", "-1"),
    ("--port", "65536"),
    ("--port", "1.5"),
    ("--port", "9" * 5000),
    ("--workers", "0"),
    ("--workers", "257"),
    ("--sync-workers", "0"),
    ("--max-request-bytes", "1023"),
    ("--max-domains", "0"),
    ("--grace", "-1"),
    ("--grace", "nan"),
    ("--log-level", SECRET),
    ("--log-level-libraries", "LOUD"),
    ("--log-format", SECRET),
    ("--actions-module", "bot/actions"),
    ("--actions-module", "actions.py/"),
    ("--actions-module", "bot..actions"),
    ("--actions-module", ""),
    ("--actions-module", "my-actions"),
]


@pytest.mark.parametrize(("flag", "value"), BAD_FLAGS, ids=[f"{f} {v[:12]!r}" for f, v in BAD_FLAGS])
def test_a_bad_flag_is_named(flag: str, value: str) -> None:
    """The message begins with the flag and does not repeat the value."""
    # With an equals sign a value may begin with a hyphen.
    error = refused(f"{flag}={value}")

    assert error.where == flag
    assert str(error).startswith(f"{flag}: ")


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
]


@pytest.mark.parametrize(("line", "name"), BAD_ENTRIES, ids=[e[0] for e in BAD_ENTRIES])
def test_a_bad_entry_of_the_file_is_named(line: str, name: str) -> None:
    """The message begins with the file and the entry."""
    assert refused(file=f"action_server:\n  {line}\n").where == f"endpoints.yml: action_server.{name}"


def test_the_bad_one_of_two_sources_is_named() -> None:
    """A good flag over a bad entry hides it; a bad variable over a good entry is the variable's fault."""
    assert read("--port", "80", file="action_server:\n  port: x\n").port == 80
    assert refused(file="action_server:\n  port: 80\n", ACTION_SERVER__PORT="x").where == "ACTION_SERVER__PORT"


@pytest.mark.parametrize("name", ["prot", "Port", "max-domains", "1", "null", "ssl_pasword"])
def test_an_unknown_entry_of_the_file_is_refused(name: str) -> None:
    """A typing error is no silent default: the message names the entry and the ones there are."""
    error = refused(file=f"action_server:\n  {name}: {SECRET}\n")

    assert error.where.startswith("endpoints.yml: action_server.")
    assert "there is no such setting; there are action_options, actions, auth, auto_reload, " in str(error)


def test_an_unknown_variable_of_ours_is_refused() -> None:
    """A typing error in a variable is no more silent than one in the file."""
    assert refused(ACTION_SERVER__PROT="80").where == "ACTION_SERVER__PROT"


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
    assert read(file=file) == Settings()


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
    """It is there, and cannot be read."""
    assert refused("--endpoints", str(folder)).where == str(folder)


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
    [f"{settings.ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields if name != "endpoints"]
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


def test_dev_reloads_and_logs_everything() -> None:
    """Unless a level is set."""
    assert (read("--dev").auto_reload, read("--dev").log_level) == (True, "DEBUG")
    assert read("--dev", "--quiet").log_level == "WARNING"


def test_single_loggers_have_levels_of_their_own() -> None:
    """By name, in endpoints.yml; a level that is none is refused."""
    found = read(file="action_server:\n  log_levels: {my.bot: debug, aiohttp: ERROR}\n")

    assert found.logs.levels == (("my.bot", "DEBUG"), ("aiohttp", "ERROR"))
    assert refused(file="action_server:\n  log_levels: {my.bot: loud}\n").where.startswith(
        "endpoints.yml: action_server"
    )
