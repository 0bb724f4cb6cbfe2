"""What descent powers: ready problems, each one file, and the names that they go by."""
