"""The loop: gradient, update, until; its state, its record, how it ends."""
