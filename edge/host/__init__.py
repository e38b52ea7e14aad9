"""Host: the machine below us: systemd, heat, power, memory."""
