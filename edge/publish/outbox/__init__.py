"""The durable outbox: what the broker has not acknowledged yet."""
