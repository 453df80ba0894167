"""Commands by a language model, against a local server that speaks the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from action_server.errors import CommandGeneratorError
from action_server.flows.commands.command import CannotHandle, ChitChat, StartFlow
from action_server.flows.commands.generator import Prediction
from action_server.flows.commands.llm import LlmCommandGenerator
from action_server.flows.commands.model_groups import ModelSettings
from tests.action_server.flows.commands.completions import VIEW, saying

KEY = "sk-hunter2"


def completion(text: object, **usage: object) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Model:
    """A server that gives the answers it was made with, one after the other, and remembers what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.headers: list[str | None] = []
        self.base = ""

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append(request.headers.get("Authorization"))
        answer = self.answers.pop(0)
        if callable(answer):
            handler: Handler = answer
            return await handler(request)
        return web.json_response(answer if isinstance(answer, dict) else completion(answer, prompt_tokens=100))

    @asynccontextmanager
    async def serve(self, **settings: Any) -> AsyncIterator[LlmCommandGenerator]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.complete)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"{site.name}/v1"
        try:
            async with aiohttp.ClientSession() as session:
                yield LlmCommandGenerator(
                    ModelSettings(model="m", api_base=self.base, api_key=SecretStr(KEY), **settings), session
                )
        finally:
            await runner.cleanup()


async def ask(model: Model, **settings: Any) -> Prediction:
    async with model.serve(**settings) as generator:
        return await generator.predict_commands(VIEW)


async def test_commands_are_those_of_the_completion() -> None:
    """One request is enough."""
    model = Model(saying({"command": "start_flow", "flow": "book"}))

    prediction = await ask(model)

    assert (list(prediction.commands), len(model.asked)) == ([StartFlow("book")], 1)


async def test_the_model_is_told_what_there_is_and_nothing_is_left_to_chance() -> None:
    """Flows, slots with their values, what was said, as data; temperature 0; the key in its header."""
    model = Model(saying({"command": "cannot_handle"}))

    await ask(model)

    [request] = model.asked
    system, user = [message["content"] for message in request["messages"]]
    facts = json.loads(system.rpartition("\n\n")[2])
    assert (request["model"], request["temperature"], model.headers) == ("m", 0, [f"Bearer {KEY}"])
    assert [flow["id"] for flow in facts["flows"]] == ["book", "list"]
    assert facts["slots"][0]["values"] == ["general", "urgent"]
    assert json.loads(user)["user"] == {"said": VIEW.message}
    assert json.loads(user)["before"] == [{"who": "user", "said": "hello"}, {"who": "bot", "said": "Hi!"}]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I would book an appointment.", "the answer is not JSON"),
        (saying({"command": "start_flow", "flow": "pay_me"}), "there is no such flow; there are book, list"),
    ],
    ids=["no JSON", "no such flow"],
)
async def test_an_answer_of_no_use_is_sent_back_once_with_what_is_wrong(answer: str, problem: str) -> None:
    """The second one counts."""
    model = Model(answer, saying({"command": "start_flow", "flow": "book"}))

    prediction = await ask(model)

    assert list(prediction.commands) == [StartFlow("book")]
    assert problem in prediction.because
    *_, wrong, correction = model.asked[1]["messages"]
    assert (wrong["role"], wrong["content"]) == ("assistant", answer)
    assert problem in correction["content"]


async def test_a_second_answer_of_no_use_is_refused() -> None:
    """Nothing of it is carried out, not even its good half."""
    bad = saying({"command": "start_flow", "flow": "book"}, {"command": "start_flow", "flow": "pay_me"})
    model = Model(bad, bad)

    prediction = await ask(model)

    assert list(prediction.commands) == [CannotHandle()]
    assert "both of the model's answers were refused" in prediction.because
    assert len(model.asked) == 2


async def test_what_a_turn_cost_is_counted_over_both_requests() -> None:
    """Tokens as the server counts them, money where there are prices, and what is no count is none."""
    first = completion("?", prompt_tokens=1000, completion_tokens=10)
    second = completion(saying({"command": "chitchat"}), prompt_tokens=1100, completion_tokens="many")
    prices = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.01}

    details = (await ask(Model(first, second), **prices)).details

    assert (details["requests"], details["prompt_tokens"], details["completion_tokens"]) == (2, 2100, 10)
    assert details["cost"] == pytest.approx(2.2)
    assert details["milliseconds"] > 0
    assert "cost" not in (await ask(Model(first, second))).details


async def test_settings_of_the_model_are_sent_as_they_are_given() -> None:
    """What the group says goes before temperature 0, null takes a setting away; headers and the body's extras too."""
    model = Model(saying({"command": "chitchat"}))
    given = {
        "temperature": 1,
        "max_completion_tokens": 64,
        "response_format": {"type": "json_object"},
        "extra_body": {"top_k": 5},
        "provider": "self-hosted",
        "num_retries": 3,
        "stop": None,
    }

    await ask(model, **given)

    [request] = model.asked
    assert {name: value for name, value in request.items() if name not in ("messages", "model")} == {
        "temperature": 1,
        "max_completion_tokens": 64,
        "response_format": {"type": "json_object"},
        "top_k": 5,
    }


async def test_no_temperature_is_sent_where_the_group_says_null() -> None:
    """Some models refuse any."""
    model = Model(saying({"command": "chitchat"}))

    await ask(model, temperature=None)

    assert "temperature" not in model.asked[0]


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": '{"commands": [{"command"'}, {"type": "text", "text": ': "chitchat"}]}'}],
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": saying({"command": "chitchat"})}],
    ],
    ids=["two halves", "a thought before"],
)
async def test_content_may_be_a_list_of_parts(content: list[dict[str, str]]) -> None:
    """Their texts are one text; what is no text is left out."""
    assert list((await ask(Model(completion(content)))).commands) == [ChitChat()]


def refusal(code: int, content: object) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(content, status=code)

    return answer


@pytest.mark.parametrize(
    ("code", "content", "said"),
    [
        (400, {"error": {"message": "Unsupported value:\n'temperature'"}}, "400: Unsupported value: 'temperature'"),
        (400, {"error": "context is 2048"}, "answered 400: context is 2048"),
        (400, {"message": f"bad {KEY}"}, "answered 400: bad ***"),
        (404, {"error": {"message": "model 'm' not found"}}, "(it often ends in /v1): model 'm' not found"),
        (422, {"detail": [{"loc": ["body"], "msg": "missing"}]}, '422: [{"loc": ["body"], "msg": "missing"}]'),
        (400, {"error": "x\x1b[2J" + "y" * 999}, "answered 400: x\\x1b[2J" + "y" * 200),
    ],
    ids=["of OpenAI", "a text", "with the key", "no model", "of FastAPI", "long and hostile"],
)
async def test_why_a_request_is_refused_is_shown(code: int, content: object, said: str) -> None:
    """In one short line, without the key: a setting that the model does not take cannot be found otherwise."""
    with pytest.raises(CommandGeneratorError) as failed:
        await ask(Model(refusal(code, content)))

    assert said in str(failed.value)
    assert KEY not in str(failed.value)
    assert len(str(failed.value)) < 500


async def test_why_a_key_is_refused_is_not_shown() -> None:
    """Servers repeat a part of it."""
    with pytest.raises(CommandGeneratorError) as failed:
        await ask(Model(refusal(401, {"error": {"message": "Incorrect API key: sk-hu***r2"}})))

    assert "sk-hu" not in str(failed.value)


def status(code: int) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=f"{KEY} is wrong", headers={"Location": "http://127.0.0.1:9/"})

    return answer


def body(content: bytes) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content)

    return answer


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while request.transport is not None:
        await response.write(b"x" * 65536)
    return response


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(401), "refuses the api_key"),
        (status(403), "does not allow this api_key"),
        (status(404), "api_base is not the address"),
        (status(429), "too many requests"),
        (status(500), "failed with 500"),
        (status(307), "answered 307"),
        (body(b"<html>hello</html>"), "no chat completion"),
        (body(b'{"choices": []}'), "no chat completion"),
        (body(b'{"choices": [{"message": {"content": null}}]}'), "no chat completion"),
        (body(b"\xff\xfe"), "no chat completion"),
        (body(b"[" * 100_000), "no chat completion"),
        (endless, "more than 262144 bytes"),
        (never, "did not answer within 0.5 s"),
        (hangs_up, "cannot be asked: ServerDisconnectedError"),
    ],
    ids=range(14),
)
async def test_a_server_that_does_not_do_its_work_is_named(answer: Handler, said: str) -> None:
    """With its address, without the key or anything it said."""
    model = Model(answer)

    with pytest.raises(CommandGeneratorError) as failed:
        await ask(model, timeout=0.5)

    assert str(failed.value).startswith(model.base)
    assert said in str(failed.value)
    assert KEY not in str(failed.value)


async def test_a_server_that_is_not_there_is_named() -> None:
    """As the shown address, without a password of the URL; a key no header can hold is not shown either."""
    async with aiohttp.ClientSession() as session:
        for settings in (
            ModelSettings(model="m", api_base="http://me:hunter2@127.0.0.1:9/v1?key=hunter2"),
            ModelSettings(model="m", api_base="http://127.0.0.1:9/v1", api_key=SecretStr("hunter2\n")),
        ):
            with pytest.raises(CommandGeneratorError) as failed:
                await LlmCommandGenerator(settings, session).predict_commands(VIEW)

            assert str(failed.value).startswith("http://127.0.0.1:9/v1 cannot be asked")
            assert "hunter2" not in str(failed.value)
