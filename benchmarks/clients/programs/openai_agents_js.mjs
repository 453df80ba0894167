import { Agent, MCPServerStreamableHttp, OpenAIProvider, Runner } from "@openai/agents";

const server = new MCPServerStreamableHttp({ url: process.env.MCP_URL, name: "clinic" });
await server.connect();
const modelProvider = new OpenAIProvider({ baseURL: `${process.env.PROVIDER_URL}/v1`, apiKey: "none" });
const agent = new Agent({ name: "clinic", mcpServers: [server], model: "gpt-4o" });
await new Runner({ modelProvider, tracingDisabled: true }).run(agent, "Book an appointment.", { maxTurns: 20 });
await server.close();
