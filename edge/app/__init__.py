"""App: what the commands of the command line run."""
