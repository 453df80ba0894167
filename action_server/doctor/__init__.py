"""What will fail at run time between an engine and this server, before it does."""
