import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createMCPClient } from "@ai-sdk/mcp";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs } from "ai";

const url = process.env.PROVIDER_URL;
const models = {
  openai: () => createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" })("gpt-4o"),
  google: () => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: "none" })("gemini-2.5-flash"),
};
const client = await createMCPClient({ transport: { type: "http", url: process.env.MCP_URL } });
await generateText({
  model: models[process.argv[2]](),
  tools: await client.tools(),
  prompt: "Book an appointment.",
  stopWhen: stepCountIs(20),
  maxRetries: 0,
});
await client.close();
