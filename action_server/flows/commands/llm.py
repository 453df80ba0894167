"""Understands by a language model behind any endpoint that speaks OpenAI's protocol.

The model's answer is a claim, not a command: it has to follow a schema and to name what there is. One that does not is
sent back once with what is wrong; a second one is refused. Neither answers nor keys stand in an error.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any

import aiohttp

from action_server.errors import InvalidAnswerError, UnderstandingError
from action_server.flows.commands.answer import read_answer
from action_server.flows.commands.model_groups import ModelSettings
from action_server.flows.commands.port import CannotHandle, DialogueView, Understood
from action_server.flows.commands.prompt import messages_for, repair

_LONGEST_ANSWER = 256 * 1024
_STATUSES = {
    401: "refuses the api_key",
    403: "does not allow this api_key to use the model",
    404: "has no such model, or api_base is not the address of the protocol (it often ends in /v1)",
    429: "has had too many requests, or the account has no credit left",
}


class LlmUnderstanding:
    """An `Understanding` by a language model, at temperature 0. The session is the caller's."""

    def __init__(self, settings: ModelSettings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    async def understand(self, view: DialogueView) -> Understood:
        """Return the commands the model gave; CannotHandle if two answers were of no use.

        ``details`` has model, requests, milliseconds, prompt_tokens, completion_tokens and, where prices are set, cost.

        Raises:
            UnderstandingError: the endpoint cannot be reached, refuses, is too slow or speaks another protocol.
        """
        began = time.perf_counter()
        spent: Counter[str] = Counter()
        messages = messages_for(view)
        answer = await self._complete(messages, spent)
        try:
            commands = read_answer(answer, view)
            because = "the model's answer"
        except InvalidAnswerError as first:
            answer = await self._complete([*messages, *repair(answer, first.problems)], spent)
            try:
                commands = read_answer(answer, view)
                because = f"the model's second answer; the first could not be used: {first}"
            except InvalidAnswerError as second:
                commands = [CannotHandle()]
                because = f"both of the model's answers were refused: {second}"
        return Understood(commands, because, self._details(spent, time.perf_counter() - began))

    def _details(self, spent: Counter[str], seconds: float) -> dict[str, Any]:
        settings = self._settings
        details: dict[str, Any] = {
            "model": settings.model,
            "requests": spent["requests"],
            "milliseconds": round(seconds * 1000, 1),
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
        """Ask once and return the text of the answer."""
        spent["requests"] += 1
        status, body = await self._post({"model": self._settings.model, "messages": messages, "temperature": 0})
        if status != 200:
            said = _STATUSES.get(status, f"answered {status}" if status < 500 else f"failed with {status}")
            raise UnderstandingError(f"{self._settings.address} {said}")
        try:
            content = json.loads(body)
            text = content["choices"][0]["message"]["content"]
        except (ValueError, RecursionError, LookupError, TypeError):
            text = None
        if not isinstance(text, str):
            raise UnderstandingError(f"{self._settings.address} answered something that is no chat completion")
        usage = content.get("usage")
        for name in ("prompt_tokens", "completion_tokens"):
            count = usage.get(name) if isinstance(usage, dict) else None
            spent[name] += count if isinstance(count, int) and 0 <= count < 10**9 else 0
        return text

    async def _post(self, request: dict[str, Any]) -> tuple[int, bytes]:
        settings = self._settings
        key = settings.api_key.get_secret_value() if settings.api_key else None
        try:
            async with self._session.post(
                f"{settings.api_base.rstrip('/')}/chat/completions",
                json=request,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=settings.timeout),
            ) as answer:
                body = await _bounded(answer)
                if body is None:
                    raise UnderstandingError(f"{settings.address} answered with more than {_LONGEST_ANSWER} bytes")
                return answer.status, body
        except asyncio.TimeoutError:
            raise UnderstandingError(f"{settings.address} did not answer within {settings.timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            # Their texts may hold a header that cannot be sent, and with it the key.
            raise UnderstandingError(f"{settings.address} cannot be asked: {type(exc).__name__}") from None


async def _bounded(answer: aiohttp.ClientResponse) -> bytes | None:
    """Return the body; None if it is too large, without reading on."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            answer.close()
            return None
    return bytes(body)
