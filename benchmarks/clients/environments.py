"""The clients of the matrix: each with its packages, its own environment and the program that uses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from action_server.tools import callers
from action_server.tools.callers import Caller

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Client:
    """A client. ``caller`` says what is known of it; packages are as pip or npm names them, the first is the client."""

    caller: Caller
    program: str
    packages: tuple[str, ...]
    argument: str = ""
    direct: bool = False

    @property
    def key(self) -> str:
        """Return its name for paths and addresses."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.caller.name).split())

    @property
    def is_python(self) -> bool:
        """Tell whether it comes from the registry of Python, not from npm."""
        return self.program.endswith(".py")


_LITELLM = ("litellm==1.101.0", "mcp==1.30.0", "boto3==1.44.8")
_AGENTS = ("openai-agents==0.24.0",)
_LANGCHAIN = (
    "langchain-mcp-adapters==0.3.2",
    "langchain==1.5.2",
    "langchain-openai==1.7.4",
    "langchain-anthropic==1.7.10",
    "langchain-google-genai==4.4.3",
)
_AI = ("ai@6.0.326", "@ai-sdk/mcp@2.0.99", "@ai-sdk/openai@3.0.141", "@ai-sdk/google@3.0.141")
_LLAMA_INDEX = ("llama-index-tools-mcp==0.6.0", "llama-index-core==0.14.25", "llama-index-llms-openai==0.8.3")
_AGENT_FRAMEWORK = ("agent-framework-core==1.23.0", "agent-framework-openai==1.17.0", "mcp==2.3.0", "tenacity==9.2.1")
_MCP_USE = ("mcp-use==1.7.1", "langchain-openai==1.7.4", "mcp==1.30.0")
_MASTRA = ("@mastra/mcp@2.0.0", "@mastra/core@1.71.0", "@ai-sdk/openai@3.0.141", "zod@4.6.7")
_AUTOGEN = ("autogen-ext[mcp,openai]==0.7.5", "autogen-agentchat==0.7.5", "mcp==1.30.0")
_AGNO = ("agno==3.1.10", "fastmcp==4.1.6", "openai==3.57.0")
_SMOLAGENTS = ("smolagents==1.26.0", "mcpadapt==0.1.19", "mcp==1.30.0", "websockets==17.4")
_HAYSTACK = ("mcp-haystack==2.1.1", "haystack-ai==3.4.1", "mcp==2.3.0")
_STRANDS = ("strands-agents[openai]==1.62.0", "mcp==2.1.1")
_CHATLAS = ("chatlas==0.23.0", "mcp==2.3.0", "openai==3.57.0")
_MCP_AGENT = ("mcp-agent==0.2.6", "openai==3.57.0", "mcp==1.30.0")
_REMOTE = ("mcp-remote@0.15.1", "@modelcontextprotocol/sdk@1.32.2")
_LANGCHAIN_JS = ("@langchain/mcp-adapters@1.1.4", "@langchain/openai@1.5.8", "@langchain/core@1.4.0")

TYPESCRIPT_2 = Caller("mcp (TypeScript) 2", "2.4.0")
LITELLM_FALLBACK = Caller("litellm gemini, then openai", "1.101.0")
AI_OPENAI, AI_GOOGLE = Caller("AI SDK openai", "6.0"), Caller("AI SDK google", "6.0")

CLIENTS = (
    Client(callers.PYTHON_1, "mcp_1.py", ("mcp==1.30.0",), direct=True),
    Client(callers.PYTHON_2, "mcp_2.py", ("mcp==2.3.0",), direct=True),
    Client(callers.FASTMCP, "fastmcp_client.py", ("fastmcp==3.4.11",), direct=True),
    Client(callers.TYPESCRIPT, "typescript_1.mjs", _REMOTE, direct=True),
    Client(TYPESCRIPT_2, "typescript_2.mjs", ("@modelcontextprotocol/client@2.4.0",), direct=True),
    Client(callers.MCP_REMOTE, "typescript_1.mjs", _REMOTE, "remote", direct=True),
    Client(AI_OPENAI, "ai_sdk.mjs", _AI, "openai"),
    Client(AI_GOOGLE, "ai_sdk.mjs", _AI, "google"),
    Client(callers.LITELLM_OPENAI, "litellm_mcp.py", _LITELLM, "openai"),
    Client(callers.LITELLM_AZURE, "litellm_mcp.py", _LITELLM, "azure"),
    Client(callers.LITELLM_ANTHROPIC, "litellm_mcp.py", _LITELLM, "anthropic"),
    Client(callers.LITELLM_GEMINI, "litellm_mcp.py", _LITELLM, "gemini"),
    Client(callers.LITELLM_BEDROCK, "litellm_mcp.py", _LITELLM, "bedrock"),
    Client(callers.LITELLM_MISTRAL, "litellm_mcp.py", _LITELLM, "mistral"),
    Client(callers.LITELLM_OLLAMA, "litellm_mcp.py", _LITELLM, "ollama"),
    Client(LITELLM_FALLBACK, "litellm_mcp.py", _LITELLM, "fallback"),
    Client(callers.LANGCHAIN_OPENAI, "langchain_mcp.py", _LANGCHAIN, "openai"),
    Client(callers.LANGCHAIN_ANTHROPIC, "langchain_mcp.py", _LANGCHAIN, "anthropic"),
    Client(callers.LANGCHAIN_GOOGLE, "langchain_mcp.py", _LANGCHAIN, "google"),
    Client(callers.LANGCHAIN_JS, "langchain_js.mjs", _LANGCHAIN_JS),
    Client(callers.AGENTS, "openai_agents.py", _AGENTS, "plain"),
    Client(callers.AGENTS_STRICT, "openai_agents.py", _AGENTS, "strict"),
    Client(callers.PYDANTIC_AI, "pydantic_ai_mcp.py", ("pydantic-ai-slim[mcp,openai]==2.68.0",)),
    Client(callers.GOOGLE_GENAI, "google_genai.py", ("google-genai==3.6.1", "mcp==1.30.0")),
    Client(callers.GOOGLE_ADK, "adk.py", ("google-adk==2.13.0", "mcp==1.30.0")),
    Client(callers.GOOGLE_GENAI_JS, "google_genai_js.mjs", ("@google/genai@3.1.0", "@modelcontextprotocol/sdk@1.32.2")),
    Client(callers.FASTMCP_4, "fastmcp_client.py", ("fastmcp==4.1.6",), direct=True),
    Client(callers.AGENTS_JS, "openai_agents_js.mjs", ("@openai/agents@0.20.0", "zod@4.6.7")),
    Client(callers.AGENT_FRAMEWORK, "agent_framework_mcp.py", _AGENT_FRAMEWORK),
    Client(callers.LLAMA_INDEX, "llama_index_mcp.py", _LLAMA_INDEX),
    Client(callers.MASTRA, "mastra.mjs", _MASTRA),
    Client(callers.MCP_USE, "mcp_use_agent.py", _MCP_USE),
    Client(callers.AUTOGEN, "autogen_mcp.py", _AUTOGEN),
    Client(callers.AGNO, "agno_mcp.py", _AGNO),
    Client(callers.SMOLAGENTS, "smolagents_mcp.py", _SMOLAGENTS, direct=True),
    Client(callers.HAYSTACK, "haystack_mcp.py", _HAYSTACK),
    Client(callers.SEMANTIC_KERNEL, "semantic_kernel_mcp.py", ("semantic-kernel[mcp]==1.45.0", "mcp==1.30.0")),
    Client(callers.DSPY, "dspy_mcp.py", ("dspy==3.4.1", "mcp==1.30.0"), direct=True),
    Client(callers.STRANDS, "strands_mcp.py", _STRANDS),
    Client(callers.CAMEL, "camel_mcp.py", ("camel-ai==0.2.90", "mcp==1.30.0")),
    Client(callers.MCP_AGENT, "mcp_agent_openai.py", _MCP_AGENT),
    Client(callers.BEEAI, "beeai_mcp.py", ("beeai-framework[mcp]==0.1.85", "mcp==1.30.0")),
    Client(callers.CHATLAS, "chatlas_mcp.py", _CHATLAS),
    Client(callers.MCPORTER, "mcporter.mjs", ("mcporter@0.12.3",), direct=True),
    Client(callers.FASTMCP_CLI, "fastmcp_cli.py", ("fastmcp==4.2.3",), direct=True),
)
