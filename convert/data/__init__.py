"""Data: lists of pictures, their labels and groups, leak-free parts, and the crops."""
