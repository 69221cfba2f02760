"""What a user says about a model, and what follows from it."""
