"""Whether the proof of sight notices what hides real faces, and nothing else."""
