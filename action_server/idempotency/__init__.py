"""Actions that run once: which they are, and the store that remembers their answers."""
