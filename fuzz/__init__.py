"""Feeds damaged input to everything that reads bytes from the network.

`python -m fuzz --seconds 600` mutates captured and hand-made inputs at random. A target may raise
the exceptions it lists and no other; both builds of the frame parser must agree; what is read must
survive being written and read again. The first input that breaks a rule is printed and saved.
"""
