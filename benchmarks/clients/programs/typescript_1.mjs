import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const url = process.env.MCP_URL;
const bridge = ["node_modules/mcp-remote/dist/proxy.js", url, "--allow-http", "--transport", "http-only"];
const transport =
  process.argv[2] === "remote"
    ? new StdioClientTransport({ command: "node", args: bridge, stderr: "ignore" })
    : new StreamableHTTPClientTransport(new URL(url));
const client = new Client({ name: "matrix", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const results = [];
for (const [name, args] of JSON.parse(process.env.PLAN)) {
  results.push(await client.callTool({ name, arguments: args }));
}
console.log(JSON.stringify({ tools, results }));
await client.close();
