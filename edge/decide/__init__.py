"""Decide: evidence over time, one violation for a visit, and the counts."""
