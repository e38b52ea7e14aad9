"""Lamps, sounds and a relay at the door: a process of its own, which outlives the service.

It is a dead man's switch: the service's loop says several times a second what it sees, and where
that ends (`rules.py`), or this process does (its unit), the relay is off.
"""
