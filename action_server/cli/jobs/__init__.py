"""The verbs of `jobs`: what the queue holds, and a worker for it."""
