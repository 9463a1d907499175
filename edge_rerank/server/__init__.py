"""An HTTP server with the routes that clients of hosted rerankers call (extra `server`)."""
