"""Operator requests, one file per noun."""
