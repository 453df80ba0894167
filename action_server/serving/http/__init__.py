"""The webhook over HTTP."""
