"""Long documents: windows of the model's length, each with the query, and one score of them all."""
