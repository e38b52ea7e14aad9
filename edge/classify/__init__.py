"""Classify: how likely a face is bare, by the network of a model bundle."""
