import { createRuntime } from "mcporter";

const runtime = await createRuntime({
  servers: [{ name: "clinic", command: { kind: "http", url: new URL(process.env.MCP_URL) } }],
});
const tools = await runtime.listTools("clinic", { includeSchema: true });
const results = [];
for (const [name, args] of JSON.parse(process.env.PLAN)) {
  results.push(await runtime.callTool("clinic", name, { args }));
}
console.log(JSON.stringify({ tools, results }));
await runtime.close();
