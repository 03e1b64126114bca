"""The JSON documents that travel as bodies, one file per subject.

`fastjson.py` reads and writes the text, `documents.py` is what all documents have in common.
"""
