"""What a course needs around the notebooks: figures, claims, running and checking them."""
