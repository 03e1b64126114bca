"""What a message is: its parts, properties, names, and the bytes of one stored record."""
