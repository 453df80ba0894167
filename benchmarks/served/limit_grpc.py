"""The limit of gRPC in Python: a bare handler of grpcio's that takes bytes and answers with none."""

from __future__ import annotations

import sys
from typing import Any

import grpc
import uvloop


async def answer(body: bytes, context: Any) -> bytes:
    """Answer with an empty message."""
    return b""


class Bare(grpc.GenericRpcHandler):
    """Answers every method."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return the one handler."""
        return grpc.unary_unary_rpc_method_handler(answer)


async def serve(port: str) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Bare(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
