import { createOpenAI } from "@ai-sdk/openai";
import { Agent } from "@mastra/core/agent";
import { MCPClient } from "@mastra/mcp";

const client = new MCPClient({ servers: { clinic: { url: new URL(process.env.MCP_URL) } } });
// It puts the server's name before each; the stand-in asks for them without.
const found = Object.entries(await client.listTools());
const tools = Object.fromEntries(found.map(([name, tool]) => [name.replace(/^clinic_/, ""), tool]));
const model = createOpenAI({ baseURL: `${process.env.PROVIDER_URL}/v1`, apiKey: "none" }).chat("gpt-4o");
const agent = new Agent({ id: "clinic", name: "clinic", instructions: "You book appointments.", model, tools });
await agent.generate("Book an appointment.", { maxSteps: 20 });
await client.disconnect();
