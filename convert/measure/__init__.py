"""Measure: metrics, curves and galleries of a trained network."""
