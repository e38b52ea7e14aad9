"""The face detector that comes with the program; `convert detector bundle` wrote it."""
