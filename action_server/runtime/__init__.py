"""Runs actions: the registry, the executor and its limits, services, slots with types."""
