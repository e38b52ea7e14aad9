"""Control: commands over MQTT, and the pictures that they may ask for."""
