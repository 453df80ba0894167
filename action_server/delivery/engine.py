"""Speaks the HTTP API of an engine: a conversation's tracker, events for it, an intent, a message.

The routes are those of Rasa Open Source 3.6.21 [run] and of rasa-pro 3.21.0 [read]. Nothing that an engine says, and no
credential, gets into an error's words: an engine repeats what it was sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from action_server.delivery.credentials import Credentials
from action_server.delivery.routes import Conversation, can_be_named
from action_server.errors import DeliveryError
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings

if TYPE_CHECKING:
    import aiohttp

# Seconds that connecting may take.
_CONNECTING = 10
# Of a tracker: events of years, and no more.
_MOST_BYTES = 64 * 1024 * 1024
_LATEST = {"output_channel": "latest"}


class Engine:
    """One engine. Every method raises `DeliveryError`, with what to do about it, and `SettingsError` for a secret."""

    def __init__(self, settings: EngineSettings, session: aiohttp.ClientSession, name: str = "") -> None:
        self.settings = settings
        self.credentials = Credentials(settings, name)
        self._session = session
        self._url = settings.engine or ""
        self._place = partial(DeliverySettings.place, name)

    async def conversation(self, conversation: str) -> Conversation:
        """Return what the engine has of a conversation, with all of its events."""
        path = f"/conversations/{_in_path(conversation)}/tracker"
        found = await self._ask("GET", path, {"include_events": "ALL"})
        events = found.get("events") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(events, list):
            raise DeliveryError(f"the engine at {self._url} answered no tracker: is that Rasa's HTTP API?")
        stack = found.get("stack")
        return Conversation(
            [event for event in events if isinstance(event, dict)],
            str(found.get("latest_input_channel") or ""),
            [frame for frame in stack if isinstance(frame, dict)] if isinstance(stack, list) else [],
        )

    async def append(self, conversation: str, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Have the engine say and set what the events tell, and return the slots as they are then.

        It says first and saves afterwards, under the conversation's lock; 200 comes after it was saved.
        """
        path = f"/conversations/{_in_path(conversation)}/tracker/events"
        found = await self._ask("POST", path, {**_LATEST, "execute_side_effects": "true"}, list(events))
        slots = found.get("slots") if isinstance(found, dict) else None
        return slots if isinstance(slots, dict) else {}

    async def trigger(self, conversation: str, intent: str, entities: Mapping[str, Any]) -> Sequence[str]:
        """Have a classic assistant answer an intent; return what it could only answer, and say on no channel."""
        path = f"/conversations/{_in_path(conversation)}/trigger_intent"
        found = await self._ask("POST", path, _LATEST, {"name": intent, "entities": dict(entities)})
        return _texts_of(found.get("messages") if isinstance(found, dict) else None)

    async def say(self, channel: str, conversation: str, message: str) -> Sequence[str]:
        """Send a message as the user's, through a channel that takes plain JSON; return what was answered at once."""
        path = f"/webhooks/{quote(channel, safe='')}/webhook"
        return _texts_of(await self._ask("POST", path, {}, {"sender": conversation, "message": message}))

    async def _ask(self, method: str, path: str, query: Mapping[str, str], body: Any = None) -> Any:
        import aiohttp
        from yarl import URL

        shown = self.credentials.show()
        url = URL(f"{self._url}{path}", encoded=True).with_query({**query, **shown.query})
        headers = shown.headers
        limit = aiohttp.ClientTimeout(total=self.settings.timeout, connect=_CONNECTING)
        asking = self._session.request(method, url, json=body, headers=headers, timeout=limit, allow_redirects=False)
        try:
            async with asking as response:
                text = await _read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            problem = (
                f"the engine at {self._url} does not answer: is it up, and is `{self._place('engine')}` its address?"
            )
            raise DeliveryError(problem) from exc
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as exc:
            problem = f"the engine at {self._url} took a request and did not answer ({type(exc).__name__})"
            raise DeliveryError(problem, is_unknown=method == "POST") from exc
        if response.status != 200:
            raise self._refusal(response.status, path, text)
        try:
            return json.loads(text)
        except ValueError:
            # The channel `callback` answers a word.
            return text

    def _refusal(self, status: int, path: str, text: str) -> DeliveryError:
        page = path.rpartition("/")[2]
        said = f"the engine at {self._url} answered {status} to {page}"
        if status in (401, 403):
            problem = f"{said}: set `{self._place('token')}` to its --auth-token, or `{self._place('jwt_secret')}`"
            return DeliveryError(problem, status=status)
        if status == 404 and "intent" in text:
            return DeliveryError(f"{said}: its domain has no such intent", is_final=True)
        if status in (404, 405):
            problem = f"{said}: start it with --enable-api, and with the channel in credentials.yml"
            return DeliveryError(problem, status=status)
        if status in (400, 413, 422):
            return DeliveryError(f"{said}: it takes no such request", is_final=True)
        if status == 409:
            return DeliveryError(f"{said}: it has no model loaded", status=status)
        if "acquire lock" in text:
            return DeliveryError(f"{said}: the conversation is busy in another turn", status=status)
        return DeliveryError(f"{said}; its log says why. Nothing was saved there", status=status)


async def _read(response: aiohttp.ClientResponse) -> str:
    parts, size = [], 0
    async for part in response.content.iter_chunked(64 * 1024):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise ValueError("more than a tracker has")
    return b"".join(parts).decode("utf-8", "replace")


def _texts_of(messages: Any) -> Sequence[str]:
    found = messages if isinstance(messages, list) else []
    return [str(one["text"]) for one in found if isinstance(one, dict) and one.get("text")]


def _in_path(conversation: str) -> str:
    if not can_be_named(conversation):
        raise DeliveryError(
            "the engine's API cannot name this conversation: its id has signs no URL has", is_final=True
        )
    return conversation
