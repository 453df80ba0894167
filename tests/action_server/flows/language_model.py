"""A language model that answers what a test says, and a project that uses it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.action_server.flows.cafe import Cafe


@contextlib.contextmanager
def model(*answers: object) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve answers as a language model's, one after the other; a number is an HTTP status. Gives URL and requests."""
    asked: list[dict[str, Any]] = []
    waiting = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = waiting.pop(0)
            self.send_response(answer if isinstance(answer, int) else 200)
            self.end_headers()
            content = {"message": {"content": json.dumps({"commands": answer})}}
            usage = {"prompt_tokens": 100, "completion_tokens": 10}
            self.wfile.write(json.dumps({"choices": [content], "usage": usage}).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Keep standard error clean."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/v1", asked
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def use_model(cafe: Cafe, url: str) -> None:
    cafe.write("config.yml", "pipeline:\n- name: CompactLLMCommandGenerator\n  llm: {model_group: small}\n")
    cafe.write(
        "endpoints.yml",
        f"""
        model_groups:
          - id: large
            models: [{{provider: openai, model: gpt-large}}]
          - id: small
            models:
              - provider: openai
                model: gpt-small
                api_base: {url}
                api_key: ${{CAFE_KEY}}
                input_cost_per_token: 0.001
                output_cost_per_token: 0.01
        """,
    )
