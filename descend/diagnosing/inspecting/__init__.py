"""The parts of an inspection: what can be known of a function before it is trained, a part a file."""
