"""Decide: pure functions."""
