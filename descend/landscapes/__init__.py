"""Landscapes: slices of a loss through its parameters, and the ways of descents on them."""
