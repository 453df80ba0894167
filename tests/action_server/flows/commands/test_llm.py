"""Understanding by a language model, against a local server that speaks the protocol."""

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

from action_server.errors import SettingsError, UnderstandingError
from action_server.flows.commands.llm import LlmUnderstanding
from action_server.flows.commands.model_groups import ModelSettings, model_settings
from action_server.flows.commands.port import (
    CancelFlow,
    CannotHandle,
    Clarify,
    Command,
    DialogueView,
    FlowView,
    SetSlot,
    SlotView,
    StartFlow,
    Understood,
)

KEY = "sk-hunter2"
VIEW = DialogueView(
    "I need to see someone urgently",
    transcript=[("user", "hello"), ("bot", "Hi!")],
    flows=[FlowView("book", "book an appointment", "Book it."), FlowView("list", "list", "List them.")],
    slots=[
        SlotView("kind", "categorical", "what kind", None, ("general", "urgent"), ("book",)),
        SlotView("wish", "text", "", None, (), ("book",)),
        SlotView("sure", "bool", "", None, (), ("book",)),
        SlotView("size", "float", "", None, (), ("book",)),
        SlotView("names", "list", "", None, (), ("book",)),
    ],
)


def completion(text: object, **usage: object) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage}


def saying(*commands: object) -> str:
    return json.dumps({"commands": commands})


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
    async def understanding(self, **settings: Any) -> AsyncIterator[LlmUnderstanding]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.complete)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"{site.name}/v1"
        try:
            async with aiohttp.ClientSession() as session:
                yield LlmUnderstanding(
                    ModelSettings(model="m", api_base=self.base, api_key=SecretStr(KEY), **settings), session
                )
        finally:
            await runner.cleanup()


async def asked(model: Model, **settings: Any) -> Understood:
    async with model.understanding(**settings) as understanding:
        return await understanding.understand(VIEW)


@pytest.mark.parametrize(
    ("answer", "commands"),
    [
        (
            saying(
                {"command": "start_flow", "flow": "book"}, {"command": "set_slot", "slot": "kind", "value": "URGENT"}
            ),
            [StartFlow("book"), SetSlot("kind", "urgent")],
        ),
        (f"```json\n{saying({'command': 'cancel_flow'})}\n```", [CancelFlow()]),
        (saying({"command": "clarify", "flows": ["list", "book"]}), [Clarify(("list", "book"))]),
        (saying({"command": "set_slot", "slot": "size", "value": 4}), [SetSlot("size", 4)]),
        (saying({"command": "set_slot", "slot": "sure", "value": False}), [SetSlot("sure", False)]),
        (saying({"command": "set_slot", "slot": "names", "value": ["a"]}), [SetSlot("names", ["a"])]),
        (saying({"command": "set_slot", "slot": "wish", "value": None}), [SetSlot("wish", None)]),
        (saying({"command": "cannot_handle"}), [CannotHandle()]),
    ],
)
async def test_commands_are_read_from_the_answer(answer: str, commands: list[Command]) -> None:
    """In CALM's terms, with the values as the slots have them; one request."""
    model = Model(answer)

    understood = await asked(model)

    assert (list(understood.commands), len(model.asked)) == (commands, 1)


async def test_the_model_is_told_what_there_is_and_nothing_is_left_to_chance() -> None:
    """Flows, slots with their values, what was said, as data; temperature 0; the key in its header."""
    model = Model(saying({"command": "cannot_handle"}))

    await asked(model)

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
        ("", "the answer is not JSON"),
        ("[" * 100_000, "the answer is not JSON"),
        ('{"commands": [{"command": "set_slot", "slot": "size", "value": NaN}]}', "the answer is not JSON"),
        ("[]", "the answer: Input should be"),
        ('{"commands": []}', "commands: List should have at least 1 item"),
        (saying(*[{"command": "chitchat"}] * 21), "commands: List should have at most 20 items"),
        (saying({"command": "rm -rf"}), "commands[0]: Input tag"),
        (saying({"command": "start_flow"}), "commands[0].flow: Field required"),
        (saying({"command": "start_flow", "flow": "book", "and": 1}), "commands[0].and: Extra inputs"),
        (saying({"command": "start_flow", "flow": "pay_me"}), "there is no such flow; there are book, list"),
        (saying({"command": "clarify", "flows": ["book", "x"]}), "commands[0].flows: not all of them exist"),
        (saying({"command": "set_slot", "slot": "admin", "value": True}), "no such slot can be filled"),
        (saying({"command": "set_slot", "slot": "kind", "value": "vip"}), "must be one of general, urgent"),
        (saying({"command": "set_slot", "slot": "sure", "value": "yes"}), "must be true or false"),
        (saying({"command": "set_slot", "slot": "size", "value": True}), "must be a number"),
        (saying({"command": "set_slot", "slot": "wish", "value": "x" * 5000}), "must be text of at most 2000"),
        (saying({"command": "set_slot", "slot": "names", "value": "a"}), "must be a list"),
    ],
    ids=range(18),
)
async def test_an_answer_of_no_use_is_sent_back_once_with_what_is_wrong(answer: str, problem: str) -> None:
    """The second one counts."""
    model = Model(answer, saying({"command": "start_flow", "flow": "book"}))

    understood = await asked(model)

    assert list(understood.commands) == [StartFlow("book")]
    assert problem in understood.because
    *_, wrong, correction = model.asked[1]["messages"]
    assert (wrong["role"], wrong["content"]) == ("assistant", answer)
    assert problem in correction["content"]


async def test_a_second_answer_of_no_use_is_refused() -> None:
    """Nothing of it is carried out, not even its good half."""
    bad = saying({"command": "start_flow", "flow": "book"}, {"command": "start_flow", "flow": "pay_me"})
    model = Model(bad, bad)

    understood = await asked(model)

    assert list(understood.commands) == [CannotHandle()]
    assert "both of the model's answers were refused" in understood.because
    assert len(model.asked) == 2


async def test_what_a_turn_cost_is_counted_over_both_requests() -> None:
    """Tokens as the server counts them, money where there are prices, and what is no count is none."""
    first = completion("?", prompt_tokens=1000, completion_tokens=10)
    second = completion(saying({"command": "chitchat"}), prompt_tokens=1100, completion_tokens="many")
    prices = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.01}

    details = (await asked(Model(first, second), **prices)).details

    assert (details["requests"], details["prompt_tokens"], details["completion_tokens"]) == (2, 2100, 10)
    assert details["cost"] == pytest.approx(2.2)
    assert details["milliseconds"] > 0
    assert "cost" not in (await asked(Model(first, second))).details


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

    with pytest.raises(UnderstandingError) as failed:
        await asked(model, timeout=0.5)

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
            with pytest.raises(UnderstandingError) as failed:
                await LlmUnderstanding(settings, session).understand(VIEW)

            assert str(failed.value).startswith("http://127.0.0.1:9/v1 cannot be asked")
            assert "hunter2" not in str(failed.value)


def group(**model: object) -> dict[str, Any]:
    return {"model_groups": [{"id": "one", "models": [{"provider": "openai", "model": "gpt", **model}]}]}


def test_the_only_group_is_taken_with_variables_replaced() -> None:
    """As Rasa reads them; OpenAI's address and variable are known."""
    plain = model_settings(group(), "endpoints.yml", {"OPENAI_API_KEY": KEY})
    own = model_settings(group(api_base="http://h/v1", api_key="${K}", timeout=3), "endpoints.yml", {"K": KEY})

    assert (plain.api_base, plain.api_key and plain.api_key.get_secret_value()) == ("https://api.openai.com/v1", KEY)
    assert (own.api_base, own.timeout, own.api_key and own.api_key.get_secret_value()) == ("http://h/v1", 3, KEY)
    assert KEY not in repr(own)


def test_a_key_of_openai_is_sent_to_nobody_else() -> None:
    """The variable counts for OpenAI's own address only."""
    found = model_settings(group(api_base="http://elsewhere/v1"), "endpoints.yml", {"OPENAI_API_KEY": KEY})

    assert found.api_key is None


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ({}, None, "there is no group with a model"),
        ({"model_groups": "x"}, None, "there is no group with a model"),
        ({"model_groups": [{"id": "a"}, {"id": "b"}]}, None, "say which group is meant: a, b"),
        (group(), "two", "there is no group two; there are one"),
        ({"model_groups": [{"id": "a", "models": []}]}, None, "there is no model"),
        (group(provider="azure"), None, "the provider azure needs an api_base"),
        (group(timeout=KEY), None, "model_groups[one].models[0].timeout"),
        (group(api_key="${NOT_SET}"), None, "NOT_SET is not set"),
        (group(api_base="ftp://x"), None, "model_groups[one].models[0].api_base"),
    ],
    ids=range(9),
)
def test_a_group_that_cannot_be_used_is_named(content: dict[str, Any], name: str | None, said: str) -> None:
    """The entry and what to do; no value of it."""
    with pytest.raises(SettingsError) as refused:
        model_settings(content, "endpoints.yml", {}, name)

    assert said in str(refused.value)
    assert KEY not in str(refused.value)
