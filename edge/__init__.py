"""TensorMask: watches a door and says over MQTT when somebody wears no mask."""

__version__ = "0.1.0"
