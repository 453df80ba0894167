"""Understands by a language model behind any endpoint that speaks OpenAI's protocol.

The model's answer is a claim, not a command: it has to follow a schema and to name what there is. One that does not is
sent back once with what is wrong; a second one is refused. Neither answers nor keys stand in an error; why a server
refuses a request does, since it names the setting.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import aiohttp

from action_server.errors import CommandGeneratorError, InvalidCompletionError
from action_server.findings.escaping import escape_controls
from action_server.flows.commands.command import CannotHandle
from action_server.flows.commands.completion import read_completion
from action_server.flows.commands.generator import DialogueView, Prediction
from action_server.flows.commands.model_groups import ModelSettings
from action_server.flows.commands.prompt import messages_for, repair_messages
from action_server.telemetry.durations import milliseconds

_MOST_BYTES = 256 * 1024
_LONGEST_REASON = 300
# Refusals of the request, not of who sends it: those say parts of keys.
_EXPLAINED = frozenset({400, 404, 413, 422})
_STATUS_REASONS = {
    401: "refuses the api_key",
    403: "does not allow this api_key to use the model",
    404: "has no such model, or api_base is not the address of the protocol (it often ends in /v1)",
    429: "has had too many requests, or the account has no credit left",
}


class LlmCommandGenerator:
    """Asks a language model, at temperature 0 unless its settings say another. The session is the caller's."""

    def __init__(self, settings: ModelSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    async def predict_commands(self, view: DialogueView) -> Prediction:
        """Return the commands the model gave; CannotHandle if two answers were of no use.

        ``details`` has model, requests, milliseconds, prompt_tokens, completion_tokens and, where prices are set, cost.

        Raises:
            CommandGeneratorError: the endpoint cannot be reached, refuses, is too slow or speaks another protocol.
        """
        began = time.perf_counter()
        spent: Counter[str] = Counter()
        messages = messages_for(view)
        completion = await self._complete(messages, spent)
        try:
            commands = read_completion(completion, view)
            because = "the model's answer"
        except InvalidCompletionError as first:
            completion = await self._complete([*messages, *repair_messages(completion, first.problems)], spent)
            try:
                commands = read_completion(completion, view)
                because = f"the model's second answer; the first could not be used: {first}"
            except InvalidCompletionError as second:
                commands = [CannotHandle()]
                because = f"both of the model's answers were refused: {second}"
        return Prediction(commands, because, self._details(spent, time.perf_counter() - began))

    def _details(self, spent: Counter[str], seconds: float) -> dict[str, Any]:
        settings = self._settings
        details: dict[str, Any] = {
            "model": settings.model,
            "requests": spent["requests"],
            "milliseconds": milliseconds(seconds),
            "prompt_tokens": spent["prompt_tokens"],
            "completion_tokens": spent["completion_tokens"],
        }
        if settings.input_cost_per_token is not None and settings.output_cost_per_token is not None:
            details["cost"] = (
                spent["prompt_tokens"] * settings.input_cost_per_token
                + spent["completion_tokens"] * settings.output_cost_per_token
            )
        return details

    async def _complete(self, messages: list[dict[str, str]], spent: Counter[str]) -> str:
        """Ask once and return the text of the completion."""
        spent["requests"] += 1
        settings = self._settings
        status, body = await self._send({"model": settings.model, "messages": messages, **settings.parameters})
        if status != 200:
            said = _STATUS_REASONS.get(status, f"answered {status}" if status < 500 else f"failed with {status}")
            why = _read_reason(body, settings) if status in _EXPLAINED else ""
            raise CommandGeneratorError(f"{settings.address} {said}{f': {why}' if why else ''}")
        try:
            content = json.loads(body)
            text = _join_parts(content["choices"][0]["message"]["content"])
        except (ValueError, RecursionError, LookupError, TypeError):
            text = None
        if not isinstance(text, str):
            raise CommandGeneratorError(f"{self._settings.address} answered something that is no chat completion")
        usage = content.get("usage")
        for name in ("prompt_tokens", "completion_tokens"):
            count = usage.get(name) if isinstance(usage, dict) else None
            spent[name] += count if isinstance(count, int) and 0 <= count < 10**9 else 0
        return text

    async def _send(self, request: dict[str, Any]) -> tuple[int, bytes]:
        settings = self._settings
        key = settings.api_key.get_secret_value() if settings.api_key else None
        try:
            async with self._session.post(
                f"{settings.api_base.rstrip('/')}/chat/completions",
                json=request,
                headers={**({"Authorization": f"Bearer {key}"} if key else {}), **settings.extra_headers},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=settings.timeout),
            ) as response:
                body = await _read_bounded_body(response)
                if body is None:
                    raise CommandGeneratorError(f"{settings.address} answered with more than {_MOST_BYTES} bytes")
                return response.status, body
        except asyncio.TimeoutError:
            raise CommandGeneratorError(f"{settings.address} did not answer within {settings.timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # Their texts may hold a header that cannot be sent, and with it the key.
            raise CommandGeneratorError(f"{settings.address} cannot be asked: {type(exc).__name__}") from None


def _join_parts(content: Any) -> Any:
    """Return a message's content; of a list of parts their text, without what is no text (thoughts, pictures)."""
    if not isinstance(content, list):
        return content
    return "".join(part["text"] for part in content if part.get("type") in ("text", "output_text")) or None


def _read_reason(body: bytes, settings: ModelSettings) -> str:
    """Return what a server says is wrong with a request, in one line, without keys; empty if it says nothing."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for name in ("error", "message", "detail"):
        said = said.get(name, said) if isinstance(said, dict) else said
    if isinstance(said, (dict, list)):
        said = json.dumps(said)
    reason = " ".join(str(said).split())
    for secret in (settings.api_key.get_secret_value() if settings.api_key else "", *settings.extra_headers.values()):
        reason = reason.replace(secret, "***") if secret else reason
    return escape_controls(reason[:_LONGEST_REASON])


async def _read_bounded_body(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body; None if it is too large, without reading on."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            response.close()
            return None
    return bytes(body)
