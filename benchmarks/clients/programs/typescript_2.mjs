import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const client = new Client({ name: "matrix", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(process.env.MCP_URL)));
const { tools } = await client.listTools();
const results = [];
for (const [name, args] of JSON.parse(process.env.PLAN)) {
  results.push(await client.callTool({ name, arguments: args }));
}
console.log(JSON.stringify({ tools, results }));
await client.close();
