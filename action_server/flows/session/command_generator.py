"""Who understands the user in a conversation: rules, a language model, or a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from action_server.config.server_fields import DEFAULT_ENDPOINTS
from action_server.endpoints import endpoints_of
from action_server.errors import SettingsError
from action_server.flows.commands.generator import CommandGenerator
from action_server.flows.commands.model_groups import model_settings
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.commands.scripted import ScriptedCommandGenerator
from action_server.flows.session.script import read_script
from action_server.project.project import Project

_HOW = ("offline", "llm", "scripted")


async def choose_command_generator(
    how: Sequence[str], project: Project, environment: Mapping[str, str], stack: AsyncExitStack
) -> Callable[[], CommandGenerator]:
    """Return what makes the one who understands, for each conversation anew. ``how`` is `--understand`.

    ``stack`` closes what they share.

    Raises:
        SettingsError: there is no such way to understand, or the script or the model's settings cannot be read.
    """
    name, *files = how
    if name not in _HOW or len(files) != (name == "scripted"):
        raise SettingsError("--understand", f"{' '.join(how)!r} is none of offline, llm and scripted FILE")
    if name == "scripted":
        script = read_script(Path(files[0]))
        return lambda: ScriptedCommandGenerator(script.turns, script.by_message)
    if name == "offline":
        return OfflineCommandGenerator
    # Here, as a model is the only one who is asked over a network.
    import aiohttp

    from action_server.flows.commands.llm import LlmCommandGenerator

    where = project.endpoints_file or DEFAULT_ENDPOINTS
    blocks = endpoints_of(project.endpoints, where, environment)
    model = model_settings(blocks.model_groups, model_group_of(project.config))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    return lambda: LlmCommandGenerator(model, session)


def model_group_of(config: Mapping[str, Any]) -> str | None:
    """Return the model group that the command generator of a config.yml names."""
    pipeline = config.get("pipeline")
    for component in pipeline if isinstance(pipeline, list) else ():
        llm = component.get("llm") if isinstance(component, Mapping) else None
        if isinstance(llm, Mapping) and "CommandGenerator" in str(component.get("name")) and llm.get("model_group"):
            return str(llm["model_group"])
    return None
