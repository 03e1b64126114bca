"""What the name server answers, one file per conversation."""
