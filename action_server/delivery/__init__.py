"""Brings results of jobs to their conversations: by the engine's own routes, or kept until they are picked up."""
