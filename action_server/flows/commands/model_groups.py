"""Which language model is asked: ``model_groups:`` of endpoints.yml, as Rasa has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from yarl import URL

from action_server.endpoints import expanded
from action_server.errors import SettingsError

_OPENAI = "https://api.openai.com/v1"


class ModelSettings(BaseModel):
    """One model behind an endpoint that speaks OpenAI's protocol. ``timeout`` is in seconds, a price is per token."""

    # Rasa knows more keys than are needed here.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, protected_namespaces=())

    model: Annotated[str, Field(min_length=1)]
    api_base: Annotated[str, Field(pattern=r"^https?://\S+$")] = _OPENAI
    api_key: SecretStr | None = None
    timeout: Annotated[float, Field(gt=0, le=300)] = 10.0
    input_cost_per_token: Annotated[float, Field(ge=0)] | None = None
    output_cost_per_token: Annotated[float, Field(ge=0)] | None = None

    @property
    def address(self) -> str:
        """The address as it may be shown: without what stands before an @ or behind a question mark."""
        return str(URL(self.api_base).with_user(None).with_query(None))


def model_settings(
    endpoints: Mapping[str, Any], where: str, environment: Mapping[str, str], group: str | None = None
) -> ModelSettings:
    """Return the first model of a group; without a name the only group there is.

    ``endpoints`` is the content of the file, ``where`` its name. An ``api_key`` that is not given for a model of OpenAI
    is taken from the variable OPENAI_API_KEY.

    Raises:
        SettingsError: there is no such group, or it cannot be used; names the entry, and shows no value.
    """
    groups = endpoints.get("model_groups")
    found = [g for g in groups if isinstance(g, dict)] if isinstance(groups, list) else []
    ids = [str(g.get("id")) for g in found]
    if group is None and len(found) != 1:
        problem = f"say which group is meant: {', '.join(ids)}" if found else "there is no group with a model"
        raise SettingsError(f"{where}: model_groups", problem)
    number = 0 if group is None else next((n for n, name in enumerate(ids) if name == group), None)
    if number is None:
        raise SettingsError(
            f"{where}: model_groups", f"there is no group {group}; there are {', '.join(ids) or 'none'}"
        )
    models = found[number].get("models")
    place = f"{where}: model_groups[{ids[number]}].models[0]"
    if not isinstance(models, list) or not models or not isinstance(models[0], dict):
        raise SettingsError(place, "there is no model")
    entry = expanded(models[0], place, environment)
    provider = str(entry.get("provider", "openai"))
    if provider != "openai" and not entry.get("api_base"):
        raise SettingsError(place, f"the provider {provider} needs an api_base that speaks OpenAI's protocol")
    if not entry.get("api_key") and not entry.get("api_base") and environment.get("OPENAI_API_KEY"):
        entry = {**entry, "api_key": environment["OPENAI_API_KEY"]}
    try:
        return ModelSettings.model_validate(entry)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        raise SettingsError(".".join([place, *map(str, first["loc"])]), first["msg"]) from None
