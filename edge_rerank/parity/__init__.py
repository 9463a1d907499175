"""How close two sets of logits are, and how close they have to be."""
