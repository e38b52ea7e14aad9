"""Measurements and pictures, made by hand and no tests; most have a target in the Makefile."""
