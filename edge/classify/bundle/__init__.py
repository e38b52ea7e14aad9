"""The default model bundle: package data, made by `python -m convert`."""
