"""How a worker is told to stop, and which sockets and connections it still has then."""
