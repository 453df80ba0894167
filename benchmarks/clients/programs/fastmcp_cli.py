import json
import os
import subprocess
import sys


def ask(*words):
    program = [sys.executable, "-m", "fastmcp.cli", *words, "--json"]
    return json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE).stdout)


url = os.environ["MCP_URL"]
tools = ask("list", url)["tools"]
calls = json.loads(os.environ["PLAN"])
results = [ask("call", url, name, "--input-json", json.dumps(arguments)) for name, arguments in calls]
print(json.dumps({"tools": tools, "results": results}))
