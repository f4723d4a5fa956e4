"""How fast training is beside the assignments' own way."""
