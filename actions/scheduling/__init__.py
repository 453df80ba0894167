"""Where appointments are kept: one port, its models and errors, and the backends behind it."""
