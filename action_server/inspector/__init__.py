"""The inspector: pages on which a developer sees every call, runs one again, and takes it along as a test."""
