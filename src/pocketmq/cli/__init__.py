"""The command line. `main.py` is the entry; one file per noun."""
