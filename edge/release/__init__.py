"""Releases and models of an installed device: which one runs, and whether it may go on to."""
