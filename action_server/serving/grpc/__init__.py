"""The webhook over gRPC."""
