"""Instruments: they look at a descent, and never touch it."""
