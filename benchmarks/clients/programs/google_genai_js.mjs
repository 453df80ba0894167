import { GoogleGenAI, mcpToTool } from "@google/genai";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "matrix", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(process.env.MCP_URL)));
const models = new GoogleGenAI({ apiKey: "none", httpOptions: { baseUrl: process.env.PROVIDER_URL } }).models;
await models.generateContent({
  model: "gemini-2.5-flash",
  contents: "Book an appointment.",
  config: { tools: [mcpToTool(client)], automaticFunctionCalling: { maximumRemoteCalls: 20 } },
});
await client.close();
