"""Ways to run a rule: all give the same numbers."""
