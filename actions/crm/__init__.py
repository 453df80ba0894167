"""The clinic's CRM: one port, its models, the backends behind it, and the outbox that delivers to them."""
