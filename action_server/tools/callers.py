"""Who reads tools, and what each is known to lose or to refuse: data, with the version and where it is known from.

Run means that schemas went through the package to a stand-in for the provider; read, that its code was read; reported,
that its users say so in public. What providers themselves refuse was not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from action_server.tools.traits import Trait

Source = Literal["run, November 2026", "read", "reported in public"]
RUN: Source = "run, November 2026"
READ: Source = "read"
REPORTED: Source = "reported in public"


@dataclass(frozen=True)
class Caller:
    """A package that takes tools, perhaps on their way to one provider."""

    name: str
    version: str
    source: Source = RUN


CALM_STEP = Caller("CALM call step", "3.21.0", READ)
SUB_AGENT = Caller("Rasa sub agent", "3.21.0", READ)
MANTLE = Caller("Mantle", "3.21.0", READ)
PYTHON_1 = Caller("mcp (Python)", "1.30.0")
PYTHON_2 = Caller("mcp (Python) 2", "2.3.0")
FASTMCP = Caller("fastmcp", "3.4.11")
TYPESCRIPT = Caller("mcp (TypeScript)", "1.32.2")
MCP_REMOTE = Caller("mcp-remote", "0.15.1")
AI_SDK = Caller("AI SDK", "6.0")
LITELLM_OPENAI = Caller("litellm openai", "1.101.0")
LITELLM_AZURE = Caller("litellm azure", "1.101.0")
LITELLM_ANTHROPIC = Caller("litellm anthropic", "1.101.0")
LITELLM_GEMINI = Caller("litellm gemini", "1.101.0")
LITELLM_VERTEX = Caller("litellm vertex", "1.101.0")
LITELLM_BEDROCK = Caller("litellm bedrock", "1.101.0")
LITELLM_MISTRAL = Caller("litellm mistral", "1.101.0")
LITELLM_OLLAMA = Caller("litellm ollama", "1.101.0")
AGENTS = Caller("openai-agents", "0.24.0")
AGENTS_STRICT = Caller("openai-agents strict", "0.24.0")
LANGCHAIN_OPENAI = Caller("langchain openai", "0.3.2")
LANGCHAIN_ANTHROPIC = Caller("langchain anthropic", "0.3.2")
LANGCHAIN_GOOGLE = Caller("langchain google", "4.4.3")
LANGCHAIN_JS = Caller("langchain.js", "1.1.4")
PYDANTIC_AI = Caller("pydantic-ai openai", "2.68.0")
GOOGLE_GENAI = Caller("google-genai", "3.6.1")
GOOGLE_ADK = Caller("google-adk", "2.13.0")
GOOGLE_GENAI_JS = Caller("google-genai.js", "3.1.0")
GENKIT = Caller("genkit google", "1.42.0")
FASTMCP_4 = Caller("fastmcp 4", "4.1.6")
AGENTS_JS = Caller("openai-agents.js", "0.20.0")
AGENT_FRAMEWORK = Caller("agent-framework", "1.23.0")
LLAMA_INDEX = Caller("llama-index", "0.6.0")
MASTRA = Caller("mastra", "2.0.0")
MCP_USE = Caller("mcp-use", "1.7.1")
SMOLAGENTS = Caller("smolagents", "1.26.0")
AUTOGEN = Caller("autogen", "0.7.5")
AGNO = Caller("agno", "3.1.10")
HAYSTACK = Caller("haystack", "2.1.1")
SEMANTIC_KERNEL = Caller("semantic-kernel", "1.45.0")
DSPY = Caller("dspy", "3.4.1")
STRANDS = Caller("strands-agents", "1.62.0")
CREWAI = Caller("crewai", "1.15.30")
CAMEL = Caller("camel-ai", "0.2.90")
MCP_AGENT = Caller("mcp-agent", "0.2.6")
BEEAI = Caller("beeai-framework", "0.1.85")
CHATLAS = Caller("chatlas", "0.23.0")
MCPORTER = Caller("mcporter", "0.12.3")
FASTMCP_CLI = Caller("fastmcp call", "4.2.3")
GENKIT_OPENAI = Caller("genkit openai", "1.42.0")
LLAMA_INDEX_JS = Caller("llamaindex.js", "0.2.1")

CALLERS: tuple[Caller, ...] = tuple(v for v in list(globals().values()) if isinstance(v, Caller))

_GEMINI = (LITELLM_GEMINI, LITELLM_VERTEX)
_GOOGLE = (*_GEMINI, LANGCHAIN_GOOGLE, GOOGLE_GENAI, GOOGLE_ADK, GOOGLE_GENAI_JS, GENKIT)
_OPENAI = (
    *(LITELLM_OPENAI, LITELLM_AZURE, AGENTS, AGENTS_STRICT, AGENTS_JS, LANGCHAIN_OPENAI, PYDANTIC_AI),
    *(AGENT_FRAMEWORK, LLAMA_INDEX, MASTRA, MCP_USE, SMOLAGENTS, AUTOGEN, AGNO),
    *(HAYSTACK, SEMANTIC_KERNEL, DSPY, STRANDS, CREWAI, CAMEL, MCP_AGENT, BEEAI, CHATLAS),
    *(GENKIT_OPENAI, LLAMA_INDEX_JS),
)
_ANTHROPIC = (LITELLM_ANTHROPIC, LANGCHAIN_ANTHROPIC)


@dataclass(frozen=True)
class CallerRule:
    """What callers make of a trait. ``refuses`` says which tools are lost, empty if none is; otherwise ``loses`` is.

    ``loses`` are the words for what of an argument, or of the tool, does not arrive.
    """

    trait: Trait
    callers: tuple[Caller, ...]
    loses: str = ""
    refuses: Literal["", "tool", "all tools"] = ""
    source: Source = RUN


CALLER_RULES: tuple[CallerRule, ...] = (
    CallerRule(Trait.OR_NULL, (LANGCHAIN_JS,), "type, values, null"),
    CallerRule(Trait.OR_NULL, (GENKIT,), "everything"),
    CallerRule(Trait.VALUES_OR_NULL, (MCP_USE,), "values"),
    # It tells the model each type, and then takes texts alone; what is left out it refuses. We read texts.
    CallerRule(Trait.OR_NULL, (SMOLAGENTS,), "null, other types"),
    CallerRule(Trait.DESCRIPTION_BESIDE_OPTIONS, (GOOGLE_GENAI,), "description"),
    CallerRule(Trait.LIST_OF_TYPES, _GEMINI, "values, limits"),
    CallerRule(Trait.LIST_OF_TYPES, (LANGCHAIN_GOOGLE,), "type, null"),
    CallerRule(Trait.NULL_IN_ENUM, (LANGCHAIN_GOOGLE,), refuses="all tools"),
    CallerRule(Trait.NULL_IN_ENUM, (LITELLM_BEDROCK,), "null"),
    CallerRule(Trait.EMPTY_VALUE, _GOOGLE, refuses="all tools", source=REPORTED),
    CallerRule(Trait.NO_TYPE, (SUB_AGENT, MANTLE), "other types", source=READ),
    CallerRule(Trait.NO_TYPE, (LANGCHAIN_GOOGLE,), "other types"),
    CallerRule(Trait.NO_TYPE, _GEMINI, "other types"),
    CallerRule(Trait.NO_TYPE, (PYDANTIC_AI,), "every value but {}"),
    CallerRule(Trait.OPEN_OBJECT, (SUB_AGENT, MANTLE), "every value but {}", source=READ),
    CallerRule(Trait.OPEN_OBJECT, (PYDANTIC_AI,), "every value but {}"),
    CallerRule(Trait.TRUE_SCHEMA, (*_GEMINI, GOOGLE_GENAI, TYPESCRIPT), refuses="all tools"),
    CallerRule(Trait.NO_PROPERTIES, (*_GEMINI, GOOGLE_GENAI, TYPESCRIPT), refuses="all tools"),
    CallerRule(Trait.NO_OBJECT_AT_ROOT, (PYTHON_2, TYPESCRIPT), refuses="all tools"),
    CallerRule(Trait.ADDITIONAL_PROPERTIES, (GOOGLE_GENAI,), refuses="all tools"),
    CallerRule(Trait.LIST_WITHOUT_ITEMS, _GEMINI, "type of items"),
    CallerRule(Trait.LIST_WITHOUT_ITEMS, _OPENAI, refuses="all tools", source=REPORTED),
    CallerRule(Trait.OPTIONAL_WITHOUT_NULL, (AGENTS_STRICT,), "that it may be left out"),
    CallerRule(Trait.OTHER_DRAFT, (MANTLE,), refuses="tool", source=READ),
    CallerRule(Trait.NULL_KEY, (TYPESCRIPT, AI_SDK), refuses="all tools"),
    CallerRule(Trait.UNFIT_TOOL_NAME, (SUB_AGENT,), refuses="tool", source=READ),
    CallerRule(Trait.UNFIT_TOOL_NAME, (*_OPENAI, *_ANTHROPIC), refuses="all tools", source=REPORTED),
    CallerRule(Trait.DIGIT_FIRST, _GOOGLE, refuses="all tools", source=REPORTED),
    CallerRule(Trait.UNFIT_ARGUMENT_NAME, (*_ANTHROPIC, LITELLM_BEDROCK), refuses="all tools", source=REPORTED),
    CallerRule(Trait.LONG_DESCRIPTION, _OPENAI, refuses="all tools", source=REPORTED),
    # Its model hears nothing of what a tool is for but the name.
    CallerRule(Trait.DESCRIPTION, (GENKIT_OPENAI,), "the tool's description"),
    # It tells the model that a call has failed which was carried out.
    CallerRule(Trait.NULL_IN_ANSWER, (LLAMA_INDEX_JS,), "answers"),
    CallerRule(Trait.RESULT_IN_ANSWER, (SUB_AGENT,), "other keys of answers", source=READ),
    CallerRule(Trait.SLOW, (CALM_STEP, MANTLE), "answers after 10 s", source=READ),
    CallerRule(Trait.VERY_SLOW, (TYPESCRIPT, MCP_REMOTE), "answers after 60 s"),
    CallerRule(Trait.NEEDS_CONVERSATION, (MANTLE,), "all calls", source=READ),
)
