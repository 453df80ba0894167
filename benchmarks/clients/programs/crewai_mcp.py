import os

os.environ["CREWAI_DISABLE_TELEMETRY"] = os.environ["OTEL_SDK_DISABLED"] = "true"
from crewai import LLM, Agent
from crewai_tools import MCPServerAdapter

# Its own client says on Python 3.11 of each call that was carried out that it failed (findings/).
model = LLM(model="openai/gpt-4o", base_url=os.environ["PROVIDER_URL"] + "/v1", api_key="none")
with MCPServerAdapter({"url": os.environ["MCP_URL"], "transport": "streamable-http"}) as tools:
    agent = Agent(role="clinic", goal="Book.", backstory="A clinic.", llm=model, tools=list(tools), max_iter=20)
    agent.kickoff("Book an appointment.")
