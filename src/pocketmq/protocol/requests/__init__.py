"""Typed headers of every request and response, one file per conversation.

`catalogue.py` is the table of contents: request code -> request header, response header. A request
that is not in a file here has no header fields at all.
"""
