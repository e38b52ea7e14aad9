"""Capture: frames from a camera, a stream, a clip or a folder, through outages."""
