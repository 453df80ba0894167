"""The server's process: workers and what they listen on."""
