"""What Home Assistant is told about the device, so that it has all entities by itself. Pure.

One retained message, in the form of its device discovery: `payload.py`. What each entity shows, and
where it reads that: `entities.py`, in terms of the messages in `edge.publish.messages`.
"""

from __future__ import annotations

from edge.publish.discovery.payload import announcement
from edge.publish.discovery.subject import Subject, birth_topic, config_topic

__all__ = ["Subject", "announcement", "birth_topic", "config_topic"]
