"""The routes: thin functions from HTTP to the service and back."""
