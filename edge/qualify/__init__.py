"""How well this door judges: walks that are asked for, what counts, and a sheet of paper."""
