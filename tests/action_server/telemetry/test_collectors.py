"""Where spans go is read from `tracing:` of endpoints.yml, or from the variables of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from action_server.endpoints import Block, read_endpoints
from action_server.errors import SettingsError
from action_server.telemetry.collectors import Collector, collectors_of
from tests.action_server.telemetry.recorded_spans import (
    SECRET,
)


def tracing(folder: Path, text: str, environment: Mapping[str, str]) -> Block:
    """The block of a file that holds this text."""
    path = folder / "endpoints.yml"
    path.write_text(text, encoding="utf-8")
    return read_endpoints(path, environment).tracing


BLOCK = "tracing: {type: otlp, endpoint: localhost:4317}"


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("", {}, ()),
        ("tracing:", {}, ()),
        ("[a, list]", {}, ()),
        (BLOCK, {}, (Collector(endpoint="localhost:4317"),)),
        (BLOCK, {"OTEL_SDK_DISABLED": "TRUE"}, ()),
        (BLOCK, {"OTEL_TRACES_EXPORTER": "none"}, ()),
        (BLOCK, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"}, (Collector(endpoint="localhost:4317"),)),
        ("tracing: {type: otlp, endpoint: '${HOST}:1'}", {"HOST": "h"}, (Collector(endpoint="h:1"),)),
        ("tracing: {type: otlp, endpoint: a, new_key_of_the_engine: 1}", {}, (Collector(endpoint="a"),)),
        ("tracing: {type: otlp, endpoint: 'dns:///a:1'}", {}, (Collector(endpoint="dns:///a:1"),)),
        ("tracing: {type: jaeger}", {}, (Collector(endpoint="http://localhost:4317", insecure=True),)),
        ("tracing: [{type: langfuse, host: x}, {type: otlp, endpoint: a}]", {}, (Collector(endpoint="a"),)),
        ("tracing: {type: langfuse}", {}, ()),
        ("tracing: {type: langfuse, key: '${OF_THE_ENGINE}'}", {}, ()),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"}, (Collector(),)),
        ("tracing:", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, (Collector(),)),
        ("", {"OTEL_TRACES_EXPORTER": "otlp"}, (Collector(),)),
        ("", {"OTEL_TRACES_EXPORTER": "console, otlp"}, (Collector("console"), Collector())),
        ("", {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, (Collector(),)),
    ],
)
def test_where_spans_go_is_read_from_the_block_then_from_the_variables(
    tmp_path: Path, text: str, environment: dict[str, str], expected: tuple[Collector, ...]
) -> None:
    assert collectors_of(tracing(tmp_path, text, environment)) == expected


def test_without_a_block_and_without_variables_spans_go_nowhere() -> None:
    assert collectors_of(Block()) == ()


@pytest.mark.parametrize("text", ["", BLOCK, "tracing: {type: jaeger}"])
def test_rasa_sdks_variable_names_a_service_that_nothing_else_names(tmp_path: Path, text: str) -> None:
    """It comes with the environment the block was read with."""
    variables = {"OTEL_TRACES_EXPORTER": "otlp", "RASA_SDK_TRACING_SERVICE_NAME": "clinic"}

    found = collectors_of(tracing(tmp_path, text, variables))

    assert [(collector.service_name, collector.default_service_name) for collector in found] == [(None, "clinic")]


@pytest.mark.parametrize(
    ("text", "environment", "where", "problem"),
    [
        ("tracing: otlp", {}, "FILE: tracing", "must hold `type"),
        ("tracing: {}", {}, "FILE: tracing.type", "must be jaeger or otlp"),
        ("tracing: {type: zipkin}", {}, "FILE: tracing.type", "must be jaeger or otlp"),
        ("tracing: {type: [a]}", {}, "FILE: tracing.type", "must be jaeger or otlp"),
        ("tracing: {type: jaeger, username: a}", {}, "FILE: tracing", "username and password go together"),
        ("tracing: {type: jaeger, password: a}", {}, "FILE: tracing", "username and password go together"),
        ("tracing: {type: jaeger, host: 'http://a'}", {}, "FILE: tracing.host", "must be a host alone"),
        ("tracing: {type: otlp, endpoint: 'mysql://a:1'}", {}, "FILE: tracing.endpoint", "the collector's address"),
        ("tracing: {type: otlp, endpoint: 'http://'}", {}, "FILE: tracing.endpoint", "the collector's address"),
        ("tracing: {type: otlp}", {}, "FILE: tracing.endpoint", "Field required"),
        ("tracing: {type: otlp, endpoint: }", {}, "FILE: tracing.endpoint", "valid string"),
        ("tracing: {type: otlp, endpoint: a, insecure: sEcReT}", {}, "FILE: tracing.insecure", "valid boolean"),
        ("tracing: {type: otlp, endpoint: '${NOT}'}", {}, "FILE: tracing.endpoint", "NOT is not set"),
        (
            "tracing: {type: otlp, endpoint: a, root_certificates: no.pem}",
            {},
            "FILE: tracing.root_cert",
            "No such file",
        ),
        (
            'tracing: {type: otlp, endpoint: a, root_certificates: "\\0"}',
            {},
            "FILE: tracing.root_cert",
            "cannot be read",
        ),
        ("tracing: {type: jaeger, port: 0}", {}, "FILE: tracing.port", "greater than"),
        ("tracing: {type: jaeger, password: {a: sEcReT}}", {}, "FILE: tracing.password", "valid"),
        ("tracing: [{type: langfuse}, {type: otlp}]", {}, "FILE: tracing[1].endpoint", "Field required"),
        ("tracing: {", {}, "FILE", "cannot be read as YAML"),
        ("", {"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER", "must be otlp, console or none"),
        (
            "",
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "must be grpc or",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(
    tmp_path: Path, text: str, environment: dict[str, str], where: str, problem: str
) -> None:
    """File and key, and nothing of the file: it may hold credentials."""
    with pytest.raises(SettingsError) as caught:
        collectors_of(tracing(tmp_path, text, environment))
    message = str(caught.value)
    assert where.replace("FILE", str(tmp_path / "endpoints.yml")) in message
    assert problem in message
    assert "\n" not in message
    assert "sEcReT" not in message


def test_a_collectors_credentials_are_not_in_its_repr() -> None:
    assert SECRET not in repr(Collector(authorization=SECRET))
