"""The verbs `idempotency list` and `idempotency free`."""
