"""Who may call, and over what: credentials, tokens, secrets, TLS."""
