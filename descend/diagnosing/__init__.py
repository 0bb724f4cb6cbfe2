"""Finding: from symptoms to a root cause, its remedy, and the remedy's measured effect."""
