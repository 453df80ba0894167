"""What a bot's Python code says of itself, read by `ast`: nothing of it is imported."""
