"""Tables of Unicode properties for the tokenizer, learned from the library that it must match."""
