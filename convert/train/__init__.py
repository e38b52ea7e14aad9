"""Train: the network, and how it is fitted."""
