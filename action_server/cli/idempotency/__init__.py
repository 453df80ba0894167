"""The verbs `idempotency list` and `idempotency free`, and what both find."""
