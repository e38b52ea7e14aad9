"""A month, simulated: a ledger writes down what happened at a door, and so does the product. Both
must meet to the last person."""
