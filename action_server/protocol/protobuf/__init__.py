"""The webhook's messages in protobuf, as gRPC carries them: read into calls and written from answers."""
