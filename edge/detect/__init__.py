"""Detect: where the faces are in a frame, and which frames are worth a scan."""
