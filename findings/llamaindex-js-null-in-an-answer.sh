#!/usr/bin/env bash
# @llamaindex/core 0.6.23, the newest (LlamaIndex for JavaScript): a tool whose answer holds a null has failed for the model.
#
# `callTool`, by which each agent calls its tools, holds an answer to be JSON by a check of its own, which knows text, numbers,
# booleans, lists and objects. null is none of them, however deep: the tool has run, and the model is told an error in the
# place of its answer. A server of MCP that says null in `structuredContent` or in `_meta` is such a tool. The guess
# was that null is JSON.
#
# Output seen (what the model is told of a booking that was made):
#   {"reference":"A1"}                 false {"reference":"A1"}
#   {"reference":"A1","note":null}     true Error(Error): Value is not a valid JSONValue: null
#   {"found":[{"day":null}]}           true Error(Error): Value is not a valid JSONValue: null
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > try.mjs <<'JAVASCRIPT'
import assert from "node:assert";
import { callTool } from "@llamaindex/core/agent";
import { FunctionTool } from "@llamaindex/core/tools";

const logger = { log() {}, error() {}, warn() {} };
const parameters = { type: "object", properties: {} };
let runs = 0;
const told = [];
for (const answer of [{ reference: "A1" }, { reference: "A1", note: null }, { found: [{ day: null }] }]) {
  const run = () => { runs += 1; return answer; };
  const tool = FunctionTool.from(run, { name: "book", description: "Book.", parameters });
  const { isError, output } = await callTool(tool, { id: "1", name: "book", input: {} }, logger);
  told.push(isError);
  console.log(JSON.stringify(answer).padEnd(34), isError, typeof output === "string" ? output.split("\n")[0] : JSON.stringify(output));
}
assert.equal(runs, 3);
assert.deepEqual(told, [false, true, true]);
JAVASCRIPT
echo '{}' > package.json
npm install --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error @llamaindex/core@0.6.23 > /dev/null
node try.mjs
