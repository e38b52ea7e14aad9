"""What happened at this box, by minute: counts, alerts, conditions; no picture, nothing that links
two visits."""
