"""Where spans go: ``tracing:`` of endpoints.yml, as rasa-sdk reads it, or the standard ``OTEL_*`` variables."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from action_server.endpoints import Block
from action_server.errors import SettingsError

# What rasa-sdk calls itself, so that dashboards find the action server where it was.
DEFAULT_SERVICE_NAME = "rasa_sdk"

# Of OTLP's exporter, and of gRPC's own names.
_SCHEMES = frozenset({"http", "https", "grpc", "grpcs", "dns", "unix", "ipv4", "ipv6", "passthrough"})

Transfer = Literal["grpc", "http/protobuf", "console"]


@dataclass(frozen=True)
class Collector:
    """Where spans go. What is None is left to OpenTelemetry, which reads its own ``OTEL_*`` variables."""

    transfer: Transfer = "grpc"
    endpoint: str | None = None
    insecure: bool | None = None
    root_certificates: bytes | None = None
    authorization: str | None = field(default=None, repr=False)
    service_name: str | None = None
    # What counts when neither the block nor a variable of OpenTelemetry names the service.
    default_service_name: str = DEFAULT_SERVICE_NAME


class _Block(BaseModel):
    # Keys nobody here knows are the engine's, which reads the same file.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    service_name: str | None = None


class _Jaeger(_Block):
    host: str = "localhost"
    # Not rasa-sdk's 6831: since it speaks OTLP to Jaeger, nothing of it arrives there.
    port: int = Field(default=4317, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, value: str) -> str:
        if "/" in value:
            raise ValueError(
                "must be a host alone, such as localhost: spans would go nowhere, and nothing would say so"
            )
        return value

    @model_validator(mode="after")
    def _has_a_whole_credential(self) -> _Jaeger:
        # With one of them spans would be sent without any.
        if bool(self.username) != bool(self.password and self.password.get_secret_value()):
            raise ValueError("username and password go together: set both, or none")
        return self

    def collector(self) -> Collector:
        authorization = None
        if self.username and self.password:
            pair = f"{self.username}:{self.password.get_secret_value()}".encode()
            authorization = f"Basic {base64.b64encode(pair).decode()}"
        address = f"http://{self.host}:{self.port}"
        return Collector("grpc", address, True, None, authorization, self.service_name)


class _Otlp(_Block):
    endpoint: str = Field(min_length=1)
    insecure: bool | None = None
    root_certificates: str | None = None

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        scheme, separator, rest = value.partition("://")
        if separator and (scheme.lower() not in _SCHEMES or not rest):
            raise ValueError("must be the collector's address, such as localhost:4317 or https://collector:4317")
        return value

    def collector(self) -> Collector:
        root = Path(self.root_certificates).read_bytes() if self.root_certificates and not self.insecure else None
        return Collector("grpc", self.endpoint, self.insecure, root, None, self.service_name)


_BLOCKS: dict[str, type[_Jaeger] | type[_Otlp]] = {"jaeger": _Jaeger, "otlp": _Otlp}
# Backends that only the engine has: https://rasa.com/docs/reference/integrations/langfuse
_ENGINES_OWN = frozenset({"langfuse"})


def collectors_of(block: Block) -> tuple[Collector, ...]:
    """Read where spans go: from the block, without one from the ``OTEL_*`` variables; empty for nowhere.

    ``OTEL_SDK_DISABLED=true`` and ``OTEL_TRACES_EXPORTER=none`` switch the block off, too.

    Raises:
        SettingsError: the block or a variable is wrong; names the file and the key.
    """
    environment = block.environment
    exporters = [name.strip() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporters == ["none"]:
        return ()
    if block.written is None:
        found = _from_variables(exporters, environment)
    elif isinstance(block.written, list):
        # The engine takes a list as well, for several backends at once.
        parts = [block.part(entry, f"[{index}]") for index, entry in enumerate(block.written)]
        found = [collector for part in parts if (collector := _from_block(part)) is not None]
    else:
        found = [collector for collector in [_from_block(block)] if collector is not None]
    name = environment.get("RASA_SDK_TRACING_SERVICE_NAME", DEFAULT_SERVICE_NAME)
    return tuple(replace(collector, default_service_name=name) for collector in found)


def _from_block(block: Block) -> Collector | None:
    written = block.written
    if not isinstance(written, dict):
        raise SettingsError(
            block.where, "must hold `type: jaeger` or `type: otlp` and its settings, one `name: value` a line"
        )
    name = str(written.get("type"))
    if name in _ENGINES_OWN:
        return None
    kind = _BLOCKS.get(name)
    if kind is None:
        raise SettingsError(f"{block.where}.type", f"must be {' or '.join(_BLOCKS)}")
    given = {str(key): value for key, value in block.content().items()}
    try:
        return kind.model_validate(given).collector()
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join([block.where, *(str(part) for part in first["loc"][:1])])
        raise SettingsError(where, first["msg"].removeprefix("Value error, ")) from None
    except (OSError, ValueError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else "no file can have this name"
        raise SettingsError(f"{block.where}.root_certificates", f"the file cannot be read: {problem}") from exc


def _from_variables(exporters: Sequence[str], environment: Mapping[str, str]) -> list[Collector]:
    def given(name: str) -> str | None:
        return environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environment.get(f"OTEL_EXPORTER_OTLP_{name}")

    if not exporters and not given("ENDPOINT"):
        return []
    found = []
    for name in exporters or ["otlp"]:
        if name not in ("otlp", "console", "none"):
            raise SettingsError("OTEL_TRACES_EXPORTER", "must be otlp, console or none")
        # OpenTelemetry's own default for Python.
        transfer: Any = "console" if name == "console" else given("PROTOCOL") or "grpc"
        if transfer not in ("grpc", "http/protobuf", "console"):
            raise SettingsError("OTEL_EXPORTER_OTLP_PROTOCOL", "must be grpc or http/protobuf")
        if name != "none":
            found.append(Collector(transfer))
    return found
