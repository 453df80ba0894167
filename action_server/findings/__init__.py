"""A finding of ``doctor`` and ``check``: its rule, its place, and how it is printed."""
