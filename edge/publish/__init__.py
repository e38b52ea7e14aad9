"""Publish: messages to the MQTT broker, from an outbox on disk."""
