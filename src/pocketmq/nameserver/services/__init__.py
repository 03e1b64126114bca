"""What the name server does on its own."""
