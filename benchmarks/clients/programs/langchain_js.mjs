import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { ChatOpenAI } from "@langchain/openai";

const client = new MultiServerMCPClient({ mcpServers: { clinic: { transport: "http", url: process.env.MCP_URL } } });
const tools = await client.getTools();
const configuration = { baseURL: `${process.env.PROVIDER_URL}/v1` };
const model = new ChatOpenAI({ model: "gpt-4o", apiKey: "none", maxRetries: 0, configuration }).bindTools(tools);
const messages = [new HumanMessage("Book an appointment.")];
for (let step = 0; step < 20; step += 1) {
  const answer = await model.invoke(messages);
  messages.push(answer);
  if (!answer.tool_calls?.length) break;
  for (const call of answer.tool_calls) {
    try {
      messages.push(await tools.find((tool) => tool.name === call.name).invoke({ ...call, type: "tool_call" }));
    } catch (error) {
      // As LangChain's own agents tell the model of it.
      messages.push(new ToolMessage({ content: `Error: ${error.message}`, tool_call_id: call.id }));
    }
  }
}
await client.close();
