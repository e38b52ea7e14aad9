"""TensorMask: watches a door and says over MQTT when somebody wears no mask."""
