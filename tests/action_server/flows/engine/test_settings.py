"""What `rasa train` refuses of the settings: components, models, servers of tools, sub agents, names of classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from action_server.findings.rule import SEVERITIES
from tests.action_server.flows.engine.projects import CONFIG, flow, refusals
from tests.action_server.flows.engine.rows import Row, each

_ROUTER = "{name: LLMBasedRouter, calm_entry: {sticky: a}, nlu_entry: {sticky: b, non_sticky: c}}"
_ROUTE = "slots: {route_session_to_calm: {type: bool, mappings: [{type: controlled}]}}"
_FORM = "forms: {f: {required_slots: [word]}}"
_A2A = "agent: {name: a, protocol: A2A, description: d}\n"
_GROUP = "{id: a, models: [{provider: self-hosted, model: a}]}"
_MCP = "mcp_servers: [{{name: a, url: 'http://a/mcp', type: http, meta_map: {{from_slots: [{{slot: {}, param: b}}]}}}}]"


def _with(*components: str) -> str:
    """Return the settings with more components in their pipeline, in front."""
    return CONFIG.replace("pipeline: [", f"pipeline: [{', '.join(components)}, ")


def _asking(settings: str) -> str:
    """Return settings whose command generator has more of its own."""
    return CONFIG.replace("Generator}", f"Generator, {settings}}}")


def _model(settings: str, more: str = "") -> str:
    """Return a model group of one model."""
    return f"model_groups: [{{id: a, models: [{{provider: self-hosted, {settings}}}]{more}}}]\n"


def _server(settings: str, kind: str = "http") -> str:
    """Return an MCP server."""
    return f"mcp_servers: [{{name: a, url: 'http://a/mcp', type: {kind}{', ' if settings else ''}{settings}}}]\n"


REPHRASED = "responses: {utter_x: [{text: a, metadata: {rephrase: true}}]}"
# A file of settings, a domain over the one above; whether an engine takes them.
SETTINGS = [
    Row("a text that is rephrased", ("endpoints.yml", "nlg: {type: rephrase}", REPHRASED), True),
    Row("a rephraser of the project's own", ("endpoints.yml", "nlg: {type: good.Rephraser}", REPHRASED), True),
    Row("nobody rephrases", ("endpoints.yml", "action_endpoint: {url: 'http://a/webhook'}", REPHRASED), False),
    Row("somebody else speaks", ("endpoints.yml", "nlg: {type: response}", REPHRASED), False),
    Row("a language that is an additional one", ("config.yml", f"{CONFIG}additional_languages: [en]\n", ""), False),
    Row("another language", ("config.yml", f"{CONFIG}additional_languages: [de, pt-BR, x-en-formal]\n", ""), True),
    Row("a language in words", ("config.yml", f"{CONFIG}additional_languages: [german]\n", ""), False),
    Row("a country in small letters", ("config.yml", f"{CONFIG}additional_languages: [en-us]\n", ""), False),
    Row("no language", ("config.yml", CONFIG.replace("language: en\n", ""), ""), False),
    Row("two command generators", ("config.yml", _with("{name: SearchReadyLLMCommandGenerator}"), ""), False),
    Row("a router without its slot", ("config.yml", _with(_ROUTER), ""), False),
    Row("a router with its slot", ("config.yml", _with(_ROUTER), _ROUTE), True),
    Row("the slot without a router", ("config.yml", CONFIG, _ROUTE), False),
    Row("two routers", ("config.yml", _with(_ROUTER, _ROUTER.replace("LLM", "Intent")), _ROUTE), False),
    Row("a router that does not say where", ("config.yml", _with("{name: LLMBasedRouter}"), _ROUTE), False),
    Row(
        "a prompt that is not there",
        ("config.yml", _with("{name: NLUCommandAdapter, prompt_template: a.jinja2}"), ""),
        False,
    ),
    Row(
        "a prompt that is no template",
        ("config.yml", _with("{name: NLUCommandAdapter, prompt_template: data/bad.jinja2}"), ""),
        False,
    ),
    Row("a prompt", ("config.yml", _with("{name: NLUCommandAdapter, prompt_template: data/good.jinja2}"), ""), True),
    Row("two model groups of one id", ("endpoints.yml", f"model_groups: [{_GROUP}, {_GROUP}]", ""), False),
    Row("several models without a router", ("endpoints.yml", "model_groups: [{id: a, models: [{}, {}]}]", ""), False),
    Row("one model", ("endpoints.yml", f"model_groups: [{_GROUP}]", ""), True),
    Row("a meta_map of a slot", ("endpoints.yml", _MCP.format("word"), ""), True),
    Row("a meta_map of no slot", ("endpoints.yml", _MCP.format("nobody"), ""), False),
    Row("a policy in the pipeline", ("config.yml", _with("{name: RulePolicy}"), ""), False),
    Row("a component that no engine has", ("config.yml", _with("{name: WhitespacTokenizer}"), ""), False),
    Row("a component of the engine's", ("config.yml", _with("{name: KeywordIntentClassifier}"), ""), True),
    Row("a component without a name", ("config.yml", _with("{prompt_template: data/good.jinja2}"), ""), False),
    Row("a policy that no engine has", ("config.yml", CONFIG.replace("FlowPolicy", "FlowsPolicy"), ""), False),
    Row(
        "a component among policies",
        ("config.yml", CONFIG.replace("{name: FlowP", "{name: MitieNLP}, {name: FlowP"), ""),
        False,
    ),
    Row("a component of the project's own", ("config.yml", _with("{name: good.Component}"), ""), True),
    Row("a component that its module does not have", ("config.yml", _with("{name: good.Nobody}"), ""), False),
    Row("a function as a component", ("config.yml", _with("{name: good.hook}"), ""), False),
    Row("a component of a package that is not here", ("config.yml", _with("{name: elsewhere.Component}"), ""), True),
    Row("two tokenizers", ("config.yml", _with("{name: WhitespaceTokenizer}, {name: JiebaTokenizer}"), ""), False),
    Row(
        "features without a tokenizer",
        ("config.yml", _with("{name: RegexFeaturizer}, {name: WhitespaceTokenizer}"), ""),
        False,
    ),
    Row(
        "features behind a tokenizer",
        ("config.yml", _with("{name: WhitespaceTokenizer}, {name: RegexFeaturizer}"), ""),
        True,
    ),
    Row("a fallback without intents", ("config.yml", _with("{name: FallbackClassifier}"), ""), False),
    Row(
        "a fallback behind intents",
        ("config.yml", _with("{name: KeywordIntentClassifier}, {name: FallbackClassifier}"), ""),
        True,
    ),
    Row("a form without RulePolicy", ("config.yml", CONFIG.replace(", {name: RulePolicy}", ""), _FORM), False),
    Row("a form with RulePolicy", ("config.yml", CONFIG, _FORM), True),
    Row(
        "a fallback to no action",
        ("config.yml", CONFIG.replace("RulePolicy", "RulePolicy, core_fallback_action_name: action_x"), ""),
        False,
    ),
    Row(
        "a fallback to an action",
        ("config.yml", CONFIG.replace("RulePolicy", "RulePolicy, core_fallback_action_name: utter_hi"), ""),
        True,
    ),
    Row("a model group and more", ("config.yml", _asking("llm: {model_group: a, temperature: 0}"), ""), False),
    Row("a secret of a model", ("config.yml", _asking("llm: {provider: openai, model: a, api_key: b}"), ""), False),
    Row("a model without one", ("config.yml", _asking("llm: {provider: openai, model: a}"), ""), True),
    Row("a model of another api_type", ("config.yml", _asking("llm: {api_type: cohere, model: a}"), ""), False),
    Row("a group beside a model", ("config.yml", _asking("llm: {model: a}, embeddings: {model_group: a}"), ""), False),
    Row(
        "a group beside a model, in the search for flows",
        ("config.yml", _asking("llm: {model: a}, flow_retrieval: {embeddings: {model_group: a}}"), ""),
        False,
    ),
    Row(
        "a rephraser that asks no group",
        ("endpoints.yml", "nlg: {type: rephrase, llm: {model_group: nobody}}", ""),
        False,
    ),
    Row(
        "a rephraser that asks a group",
        ("endpoints.yml", f"nlg: {{type: rephrase, llm: {{model_group: a}}}}\nmodel_groups: [{_GROUP}]", ""),
        True,
    ),
    Row("an own rephraser that its module does not have", ("endpoints.yml", "nlg: {type: good.Nobody}", ""), False),
    Row("a variable in quotes", ("endpoints.yml", _model("model: '${NAME}'"), ""), False),
    Row(
        "a variable without quotes",
        (
            "endpoints.yml",
            "model_groups:\n- id: a\n  models:\n  - model: ${NAME}\n",
            "",
        ),
        True,
    ),
    Row("an address from a variable in quotes", ("endpoints.yml", _model("model: a, api_base: '${URL}/v1'"), ""), True),
    Row("a key of a model as a text", ("endpoints.yml", _model("model: a, api_key: b"), ""), False),
    Row("a key of a model from a variable", ("endpoints.yml", _model("model: a, api_key: '${KEY}'"), ""), True),
    Row(
        "a key of a model from a variable and more",
        ("endpoints.yml", _model("model: a, api_key: '${KEY}x'"), ""),
        False,
    ),
    Row("a secret further down", ("endpoints.yml", _model("model: a, oauth: {client_secret: b}"), ""), False),
    Row("api_key_env", ("endpoints.yml", _model("model: a, api_key_env: KEY"), ""), False),
    Row("a way to route", ("endpoints.yml", _model("model: a", ", router: {routing_strategy: least-busy}"), ""), True),
    Row(
        "an unknown way to route",
        ("endpoints.yml", _model("model: a", ", router: {routing_strategy: best}"), ""),
        False,
    ),
    Row(
        "chat completions at a routed model",
        ("endpoints.yml", _model("model: a, use_chat_completions_endpoint: true", ", router: {}"), ""),
        False,
    ),
    Row("a group without models", ("endpoints.yml", "model_groups: [{id: a}]", ""), False),
    Row("a model that is a name", ("endpoints.yml", "model_groups: [{id: a, models: [gpt]}]", ""), False),
    Row("a server on a pipe", ("endpoints.yml", _server("", kind="stdio"), ""), False),
    Row("a server without an address", ("endpoints.yml", "mcp_servers: [{name: a, type: http}]", ""), False),
    Row("a server with a secret", ("endpoints.yml", _server("token: b"), ""), False),
    Row("a server with a secret from a variable", ("endpoints.yml", _server("token: '${B}'"), ""), True),
    Row("a server with a secret further down", ("endpoints.yml", _server("oauth: {client_secret: b}"), ""), False),
    Row("what is sent along as a number", ("endpoints.yml", _server("meta_map: {static: {version: 1}}"), ""), False),
    Row("what is sent along as a text", ("endpoints.yml", _server("meta_map: {static: {version: '1'}}"), ""), True),
    Row(
        "a slot that is sent under no name",
        ("endpoints.yml", _server("meta_map: {from_slots: [{slot: word}]}"), ""),
        False,
    ),
    Row("a hook", ("endpoints.yml", _server("pre_call_hook: good.hook"), ""), True),
    Row("a hook that its module imports", ("endpoints.yml", _server("pre_call_hook: good.dumps"), ""), True),
    Row("a hook that its module does not have", ("endpoints.yml", _server("pre_call_hook: good.nobody"), ""), False),
    Row("a hook that is no function", ("endpoints.yml", _server("pre_call_hook: good.NUMBER"), ""), False),
    Row("a hook of a module below one", ("endpoints.yml", _server("pre_call_hook: good.below.hook"), ""), False),
    Row("a hook without a module", ("endpoints.yml", _server("pre_call_hook: hook"), ""), False),
    Row("a hook of Python's own", ("endpoints.yml", _server("pre_call_hook: json.dumps"), ""), True),
    Row("no silence", ("endpoints.yml", "interaction_handling: {global_silence_timeout: 0}", ""), False),
    Row("silence in words", ("endpoints.yml", "interaction_handling: {global_silence_timeout: long}", ""), False),
    Row("silence", ("endpoints.yml", "interaction_handling: {global_silence_timeout: '30'}", ""), True),
    Row("an own kind of slot", ("x.yml", "", "slots: {n: {type: good.Component}}"), True),
    Row("an own kind of slot that its module does not have", ("x.yml", "", "slots: {n: {type: good.Nobody}}"), False),
    Row("a function as a kind of slot", ("x.yml", "", "slots: {n: {type: good.hook}}"), False),
    Row("a kind of slot by its class", ("x.yml", "", "slots: {n: {type: rasa.shared.core.slots.TextSlot}}"), True),
]
_AGENT = "agent: {name: a, description: d}\nconnections: {mcp_servers: [{name: s}]}\n"
# The settings of a sub agent; whether an engine takes them.
AGENTS = [
    Row("a sub agent", _AGENT, True),
    Row("one without a name", _AGENT.replace("name: a, ", ""), False),
    Row("one without a description", _AGENT.replace(", description: d", ""), False),
    Row("an unknown key", f"{_AGENT}configuration: {{colour: red}}\n", False),
    Row("the name of a flow", _AGENT.replace("name: a", "name: main"), False),
    Row("a protocol in small letters", _AGENT.replace("name: a", "name: a, protocol: rasa"), True),
    Row("an unknown protocol", _AGENT.replace("name: a", "name: a, protocol: MCP"), False),
    Row("no servers", "agent: {name: a, description: d}\n", False),
    Row("an unknown server", _AGENT.replace("name: s", "name: x"), False),
    Row("A2A without a card", "agent: {name: a, protocol: A2A, description: d}\n", False),
    Row("A2A with the address of a card", f"{_A2A}configuration: {{agent_card: 'https://a/card'}}\n", True),
    Row("A2A with a card that is not there", f"{_A2A}configuration: {{agent_card: card.json}}\n", False),
    Row("A2A with a card elsewhere", f"{_A2A}configuration: {{agent_card: 'ftp://a/card'}}\n", False),
    Row("A2A with a secret", f"{_A2A}configuration: {{agent_card: 'https://a', auth: {{token: b}}}}\n", False),
    Row("A2A with a hook", f"{_A2A}configuration: {{agent_card: 'https://a', pre_call_hook: good.hook}}\n", True),
    Row("a hook without A2A", f"{_AGENT}configuration: {{pre_call_hook: good.hook}}\n", False),
    Row("a module that is not there", f"{_AGENT}configuration: {{module: good.Nobody}}\n", False),
    Row("a model group that is not there", f"{_AGENT}configuration: {{llm: {{model_group: x}}}}\n", False),
]
# What stands in the project beside its settings.
_BESIDE = {
    "data/bad.jinja2": "{% if %}",
    "data/good.jinja2": "{% if a %}b{% endif %}",
    "good.py": "from json import dumps\nNUMBER = 1\nclass Component: ...\nclass Rephraser: ...\ndef hook(call): ...\n",
}


@pytest.fixture(autouse=True)
def in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@each(SETTINGS)
def test_settings_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """They have to go with the domain, with each other, and with the project's own code."""
    file, text, more = row.given
    found = refusals(tmp_path, [flow("{collect: kind}")], more, extra={**_BESIDE, file: text})

    assert (found == []) is row.engine


@each(AGENTS)
def test_sub_agents_are_refused_where_the_engine_refuses_them(row: Row, tmp_path: Path) -> None:
    """Each has a folder with a config.yml."""
    files = {"endpoints.yml": _server("").replace("name: a", "name: s"), "sub_agents/a/config.yml": row.given}

    assert (refusals(tmp_path, [flow("{collect: kind}")], extra={**_BESIDE, **files}) == []) is row.engine


def test_a_name_of_a_package_that_is_not_here_is_a_warning(tmp_path: Path) -> None:
    """The engine may have it. Where the module is here, and not the name, it is an error."""
    agent = _A2A + "configuration: {agent_card: 'https://a', module: PACKAGE.M, pre_call_hook: PACKAGE.hook2}\n"
    found = {}
    for package in ("nowhere.at_all", "good"):
        files = {
            **_BESIDE,
            "endpoints.yml": _server(f"pre_call_hook: {package}.hook1"),
            "sub_agents/a/config.yml": agent.replace("PACKAGE", package),
        }
        slot = f"slots: {{n: {{type: {package}.Slot}}}}"
        for severity in SEVERITIES:
            texts = refusals(tmp_path / package, [flow("{collect: kind}")], slot, extra=files, severity=severity)
            found[package, severity] = [t for t in texts if "engine" in t and package in t]

    assert [len(texts) for texts in found.values()] == [0, 4, 0, 4, 0, 0], found
    assert all("that of the engine may have it" in text for text in found["nowhere.at_all", "warning"])


def test_a_file_among_sub_agents_is_refused(tmp_path: Path) -> None:
    """And two of one name."""
    files = {"sub_agents/b/config.yml": _AGENT, "sub_agents/c/config.yml": _AGENT, "sub_agents/notes.txt": "a"}
    found = refusals(tmp_path, [flow("{collect: kind}")], extra=files)

    assert ["notes.txt" in text or "both called" in text for text in found] == [True, True]


def test_nothing_secret_is_said(tmp_path: Path) -> None:
    """Neither of models nor of servers."""
    files = {"endpoints.yml": _model("model: a, api_key: s3cret") + _server("token: s3cret")}
    files["config.yml"] = _asking("llm: {model: a, api_key: s3cret}")

    assert "s3cret" not in str(refusals(tmp_path, [flow("{collect: kind}")], extra=files))
