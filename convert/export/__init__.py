"""Export: int8 quantization and the bundle that the edge loads."""
