"""Proof of sight: what size of drawn heads is seen today, in this light, through this lens."""
