"""Notifications: alerts and conditions for people and their systems, beside the broker.

`event.py` and `watch.py` say what happened, `notification.py` what one message says of it. A
`courier.py` keeps a target's events on disk until its `channel.py` has delivered them.
"""
