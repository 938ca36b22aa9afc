"""Which recipe is used, why, and the model that is made of it."""
