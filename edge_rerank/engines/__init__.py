"""What computes: token ids in, logits out. The protocol, the choice, and two engines."""
