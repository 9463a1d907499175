"""The shapes of requests and answers that clients know, each in a file of its own."""
