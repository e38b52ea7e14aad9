"""Whether the intervals of corrected rates cover the truth."""
