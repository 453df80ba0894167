"""What two other readers of HTTP say of a head: h11, and llhttp, which is the parser of Node."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence

import h11

# Sends each request to a server of Node's own http and notes what comes back: the status, or nothing.
_NODE = """
const http = require("http"), net = require("net")
const server = http.createServer((request, response) => {
  request.resume()
  request.on("end", () => response.end())
})
server.on("clientError", (error, socket) => {
  if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\\r\\nConnection: close\\r\\n\\r\\n")
})
const ask = (port, data) => new Promise((done) => {
  let heard = ""
  const socket = net.connect(port, "127.0.0.1", () => socket.write(data))
  const end = () => { socket.destroy(); done(heard.slice(9, 12)) }
  socket.on("data", (piece) => { heard += piece; if (heard.includes("\\r\\n\\r\\n")) end() })
  socket.on("error", end)
  socket.on("close", end)
  // A head that Node still waits for is half of one: the next request would be a part of it.
  socket.setTimeout(3000, end)
})
let given = ""
process.stdin.on("data", (piece) => { given += piece })
process.stdin.on("end", () => server.listen(0, "127.0.0.1", async () => {
  const requests = JSON.parse(given).map((text) => Buffer.from(text, "base64"))
  const found = await Promise.all(requests.map((data) => ask(server.address().port, data)))
  process.stdout.write(JSON.stringify(found), () => process.exit(0))
}))
"""


def h11_takes(request: bytes) -> bool:
    """Tell whether h11 reads a request to its end."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    connection.receive_data(request)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.EndOfMessage):
                return True
            if event is h11.NEED_DATA:
                return False
    except h11.RemoteProtocolError:
        return False


def llhttp_takes(requests: Sequence[bytes], node: str) -> list[bool]:
    """Tell for each request whether Node's server answers it with 200. ``node`` is the program."""
    given = json.dumps([base64.b64encode(data).decode() for data in requests])
    done = subprocess.run([node, "-e", _NODE], input=given, capture_output=True, text=True, timeout=120, check=True)
    return [status == "200" for status in json.loads(done.stdout)]
