"""Speaks the HTTP API of an engine: a conversation's tracker, events for it, an intent, a message.

The routes are those of Rasa Open Source 3.6.21 [run] and of rasa-pro 3.21.0 [read]. Nothing that an engine says, and no
credential, gets into an error's words: an engine repeats what it was sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from action_server.delivery.credentials import Credentials
from action_server.delivery.routes import Conversation, can_be_named
from action_server.delivery.trackers import read_tracker
from action_server.errors import DeliveryError
from action_server.jobs.engine_settings import DeliverySettings, EngineSettings

if TYPE_CHECKING:
    import aiohttp

# Seconds that connecting may take.
_CONNECTING = 10
# Of a tracker: events of years, and no more.
_MOST_BYTES = 64 * 1024 * 1024
# Without the history in the answer, which may be long.
_LATEST = {"output_channel": "latest", "include_events": "NONE"}


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
        answered = await self._ask("GET", path, {"include_events": "ALL"})
        try:
            found = read_tracker(answered)
        except ValueError:
            raise DeliveryError(f"the engine at {self._url} answered no tracker: is that Rasa's HTTP API?") from None
        if found.sender_id != conversation:
            raise DeliveryError(
                f"the engine at {self._url} answered for another conversation: a proxy before it changes paths, which "
                "hold the conversation's id; let it pass them on as they are"
            )
        return found.conversation

    async def append(self, conversation: str, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Have the engine say and set what the events tell, and return the slots as they are then.

        It says first and saves afterwards, under the conversation's lock; 200 comes after it was saved.
        """
        path = f"/conversations/{_in_path(conversation)}/tracker/events"
        found = await self._ask_for_object(path, {**_LATEST, "execute_side_effects": "true"}, list(events))
        slots = found.get("slots")
        return slots if isinstance(slots, dict) else {}

    async def trigger(self, conversation: str, intent: str, entities: Mapping[str, Any]) -> Sequence[str]:
        """Have a classic assistant answer an intent; return what it could only answer, and say on no channel."""
        path = f"/conversations/{_in_path(conversation)}/trigger_intent"
        found = await self._ask_for_object(path, _LATEST, {"name": intent, "entities": dict(entities)})
        return _texts_of(found.get("messages"))

    async def say(self, channel: str, conversation: str, message: str) -> Sequence[str]:
        """Send a message as the user's, through a channel that takes plain JSON; return what was answered at once."""
        path = f"/webhooks/{quote(channel, safe='')}/webhook"
        answered = await self._ask("POST", path, {}, {"sender": conversation, "message": message})
        # The channel `callback` answers a word.
        with suppress(ValueError):
            return _texts_of(json.loads(answered))
        return ()

    async def _ask_for_object(self, path: str, query: Mapping[str, str], body: object) -> dict[str, Any]:
        answered = await self._ask("POST", path, query, body)
        with suppress(ValueError):
            found = json.loads(answered)
            if isinstance(found, dict):
                return found
        raise DeliveryError(f"{self._said(200, path)}, and not as Rasa's HTTP API does", is_unknown=True)

    async def _ask(self, method: str, path: str, query: Mapping[str, str], body: object = None) -> bytes:
        """Return the body of a 200."""
        import aiohttp
        from yarl import URL

        shown = self.credentials.show()
        url = URL(f"{self._url}{path}", encoded=True).with_query({**query, **shown.query})
        headers = shown.headers
        limit = aiohttp.ClientTimeout(total=self.settings.timeout, connect=_CONNECTING)
        asking = self._session.request(method, url, json=body, headers=headers, timeout=limit, allow_redirects=False)
        try:
            async with asking as response:
                answered = await _read(response)
        except DeliveryError:
            raise
        except aiohttp.ClientSSLError as exc:
            problem = f"the engine at {self._url} has a certificate that this machine does not trust: set SSL_CERT_FILE"
            raise DeliveryError(problem) from exc
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            problem = (
                f"the engine at {self._url} does not answer: is it up, and is `{self._place('engine')}` its address?"
            )
            raise DeliveryError(problem) from exc
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as exc:
            problem = f"the engine at {self._url} took a request and did not answer ({type(exc).__name__})"
            raise DeliveryError(problem, is_unknown=method == "POST") from exc
        if response.status != 200:
            raise self._refusal(method, response.status, path, answered.decode("utf-8", "replace"))
        if "html" in response.content_type:
            # A proxy's or a firewall's; nobody knows what became of the request behind it.
            problem = f"{self._said(response.status, path)} with a page of HTML: that is not the engine"
            raise DeliveryError(problem, is_unknown=method == "POST")
        return answered

    def _said(self, status: int, path: str) -> str:
        return f"the engine at {self._url} answered {status} to {path.rpartition('/')[2]}"

    def _refusal(self, method: str, status: int, path: str, text: str) -> DeliveryError:
        said = self._said(status, path)
        if 300 <= status < 400:
            problem = f"{said}, which redirects: set `{self._place('engine')}` to the address that it leads to"
            return DeliveryError(problem, status=status)
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
        if status != 500:
            # A proxy's, which has lost its patience, say: the engine may be at work all the same.
            problem = f"{said}: it, or a proxy before it, gave up, and what became of the request is not known"
            return DeliveryError(problem, is_unknown=method == "POST", status=status)
        why = "its log says why. Nothing was saved there"
        if self.settings.signs:
            why += f". It says so, too, where `{self._place('jwt_method')}` is not its --jwt-method"
        return DeliveryError(f"{said}; {why}", status=status)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(64 * 1024):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            problem = f"the engine answered more than {_MOST_BYTES // 1024 // 1024} MiB: the conversation is too long"
            raise DeliveryError(problem, is_unknown=response.method == "POST")
    return b"".join(parts)


def _texts_of(messages: Any) -> Sequence[str]:
    found = messages if isinstance(messages, list) else []
    return [str(one["text"]) for one in found if isinstance(one, dict) and one.get("text")]


def _in_path(conversation: str) -> str:
    if not can_be_named(conversation):
        raise DeliveryError(
            "the engine's API cannot name this conversation: its id has signs no URL has", is_final=True
        )
    return conversation
