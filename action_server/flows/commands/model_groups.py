"""Which language model is asked: ``model_groups:`` of endpoints.yml, as Rasa has them.

What engines do here was read in rasa-pro 3.21.0.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from yarl import URL

from action_server.endpoints import Block
from action_server.errors import SettingsError

_OPENAI = "https://api.openai.com/v1"
# Keys that tell an engine which client to ask and how, and are no part of a request.
_CLIENTS_OWN = frozenset(
    {
        *("api_type", "api_version", "aws_access_key_id", "aws_region_name", "aws_secret_access_key", "deployment"),
        *("drop_params", "id", "max_retries", "model_id", "num_retries", "oauth", "provider", "request_timeout"),
        *("ssl_verify", "use_chat_completions_endpoint"),
    }
)


class ModelSettings(BaseModel):
    """One model behind an endpoint that speaks OpenAI's protocol. ``timeout`` is in seconds, a price is per token.

    Other keys (temperature, max_completion_tokens, response_format) are settings of the model, sent as they are given.
    """

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True, protected_namespaces=())

    model: Annotated[str, Field(min_length=1)]
    api_base: Annotated[str, Field(pattern=r"^https?://\S+$")] = _OPENAI
    api_key: SecretStr | None = None
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0
    input_cost_per_token: Annotated[float, Field(ge=0)] | None = None
    output_cost_per_token: Annotated[float, Field(ge=0)] | None = None
    extra_headers: dict[str, str] = Field(default_factory=dict, repr=False)
    extra_body: dict[str, Any] = Field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """What is sent beside model and messages: temperature 0 unless another, or none (null), is given."""
        given = {name: value for name, value in (self.model_extra or {}).items() if name not in _CLIENTS_OWN}
        sent = {"temperature": 0, **given}
        return {name: value for name, value in sent.items() if value is not None} | self.extra_body

    @property
    def address(self) -> str:
        """The address as it may be shown: without what stands before an @ or behind a question mark."""
        return str(URL(self.api_base).with_user(None).with_query(None))


def model_settings(block: Block, group: str | None = None) -> ModelSettings:
    """Return the first model of a group; without a name the only group there is.

    Of the block only that model's variables have to be set. An ``api_key`` that is not given for a model of OpenAI is
    taken from the variable OPENAI_API_KEY.

    Raises:
        SettingsError: there is no such group, or it cannot be used; names the entry, and shows no value.
    """
    groups = block.written if isinstance(block.written, list) else []
    found = [g for g in groups if isinstance(g, dict)]
    ids = [str(g.get("id")) for g in found]
    if group is None and len(found) != 1:
        problem = f"say which group is meant: {', '.join(ids)}" if found else "there is no group with a model"
        raise SettingsError(block.where, problem)
    number = 0 if group is None else next((n for n, name in enumerate(ids) if name == group), None)
    if number is None:
        raise SettingsError(block.where, f"there is no group {group}; there are {', '.join(ids) or 'none'}")
    models = found[number].get("models")
    first = models[0] if isinstance(models, list) and models else None
    return _model(block.part(first, f"[{ids[number]}].models[0]"))


def _model(block: Block) -> ModelSettings:
    if not isinstance(block.written, dict):
        raise SettingsError(block.where, "there is no model")
    entry = block.content()
    provider = str(entry.get("provider", "openai"))
    if provider != "openai" and not entry.get("api_base"):
        raise SettingsError(block.where, f"the provider {provider} needs an api_base that speaks OpenAI's protocol")
    if not entry.get("api_key") and not entry.get("api_base") and block.environment.get("OPENAI_API_KEY"):
        entry = {**entry, "api_key": block.environment["OPENAI_API_KEY"]}
    try:
        return ModelSettings.model_validate(entry)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SettingsError(".".join([block.where, *map(str, first["loc"])]), first["msg"]) from None
