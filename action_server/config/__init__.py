"""Settings: flags, environment, endpoints.yml. The only reader of the environment."""
