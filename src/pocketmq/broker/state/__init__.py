"""Remember: a table and its file."""
