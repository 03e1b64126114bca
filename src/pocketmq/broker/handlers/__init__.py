"""React: one request in, one answer out."""
