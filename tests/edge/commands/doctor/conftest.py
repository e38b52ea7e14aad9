from tests.broker.conftest import mosquitto, mosquitto_program, start_mosquitto

__all__ = ["mosquitto", "mosquitto_program", "start_mosquitto"]
