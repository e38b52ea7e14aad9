"""Reports of what the history holds: compiled for a period, and drawn as table, CSV, HTML, PDF."""
