"""A bot as it is written, read and not run: domain, flows, conditions, what its code reads and sets."""
