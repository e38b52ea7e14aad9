"""Measuring and drawing: what is run by hand, and is no test. Each has a target in the Makefile."""
