"""A folder of parts scored into another: each is whole or not there, here or on a cluster."""
