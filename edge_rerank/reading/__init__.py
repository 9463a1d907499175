"""Reading texts that users name: lines, JSON, tables, compressed or not, from files or a pipe."""
