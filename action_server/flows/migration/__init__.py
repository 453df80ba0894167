"""From a classic project to flows: what to migrate first, a draft for each form, and which code stays as it is."""
