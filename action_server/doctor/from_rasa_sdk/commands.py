"""How a bot starts its action server: in a Dockerfile, a Compose file, a Procfile, a script, a unit of systemd."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

from action_server.config import settings
from action_server.doctor.from_rasa_sdk import rules
from action_server.doctor.from_rasa_sdk.files import File
from action_server.doctor.from_rasa_sdk.requirements import check_python
from action_server.findings.finding import Finding
from action_server.nearest import did_you_mean

_CODE = (".py", ".md", ".rst", ".ipynb", ".lock", ".txt", ".toml", ".html", ".cfg", ".js", ".css", ".csv")
# As words of a shell, and as the lists that Docker and Kubernetes take.
_START = re.compile(r"-m\W{1,6}rasa_sdk\b(?P<flags>.*)|\brasa\W{1,6}run\W{1,6}actions\b(?P<more>.*)")
_ENDS = frozenset({"&&", "||", "|", ";", "&", "]", ">", "2>&1", ">>"})
_VARIABLES = {
    "ACTION_SERVER_SANIC_WORKERS": "ACTION_SERVER__WORKERS",
    "SANIC_HOST": "ACTION_SERVER__HOST",
    "LOG_LEVEL_LIBRARIES": "ACTION_SERVER__LOG_LEVEL_LIBRARIES",
}


class _Parser(argparse.ArgumentParser):
    """The flags of `run`, read without ending the program."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise ValueError(message)


def check_commands(file: File) -> Iterator[Finding]:
    """Find where rasa-sdk's server is started, on which image, and with which of its variables."""
    if file.basename.endswith(_CODE):
        return
    is_dockerfile = "dockerfile" in file.basename.lower()
    for line, text in file.lines():
        if text.lstrip().startswith("#"):
            continue
        image = re.match(r"\s*FROM\s+(?:--\S+\s+)?(\S+)", text) if is_dockerfile else None
        image = image or re.match(r"\s*(?:-\s*)?image:\s*[\"']?(\S+?)[\"']?\s*$", text)
        if image:
            yield from _check_image(file, line, image[1])
        started = _START.search(text)
        if started:
            yield from _check_start(file, line, started["flags"] or started["more"] or "")
        for variable, setting in _VARIABLES.items():
            if re.search(rf"(?<![\w-]){variable}\b", text):
                yield Finding.of(rules.VARIABLE_KEPT, file.at(line), variable=variable, setting=setting)


def _check_image(file: File, line: int, image: str) -> Iterator[Finding]:
    if re.search(r"(?:^|/)rasa-sdk(?::|@|$)", image):
        yield Finding.of(rules.BASE_IMAGE, file.at(line), image=image)
    python = re.match(r"(?:\S+/)?python:(\d+\.\d+)", image)
    if python:
        yield from check_python(file, line, python[1])


def _check_start(file: File, line: int, rest: str) -> Iterator[Finding]:
    words = _words(rest)
    flag, meant = _unknown_flag(words)
    if flag:
        yield Finding.of(rules.START_FLAG, file.at(line), flag=flag, meant=meant)
    else:
        command = " ".join(["action-server", "run", *(word if "$" in word else shlex.quote(word) for word in words)])
        yield Finding.of(rules.START_COMMAND, file.at(line), command=command)


def _words(rest: str) -> list[str]:
    """Return the words of a command up to its end, whether it is written for a shell or as a list."""
    rest = rest.replace(";", " ; ")
    try:
        words = shlex.split(rest.replace(",", " ") if re.match(r"\s*[\"']\s*,|\s*[\"']\s*\]", rest) else rest)
    except ValueError:
        # A quotation mark of the list, or of the line around the command.
        words = re.sub(r"[\"',\[\]]", " ", rest).split()
    words = [part for word in words for part in word.strip("\"',[]").split() if part]
    end = next((index for index, word in enumerate(words) if word in _ENDS), len(words))
    return words[:end]


def _unknown_flag(words: list[str]) -> tuple[str, str]:
    """Return the first flag that there is not, and what may have been meant."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    settings.add_flags(parser)
    try:
        _, unknown = parser.parse_known_args([word for word in words if "$" not in word])
    except ValueError:
        # A value that a variable stands for, or one of another kind: the server itself will say so.
        return "", ""
    flags = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    known = list(parser._option_string_actions)
    return (flags[0], did_you_mean(flags[0], known).rstrip("?")) if flags else ("", "")
