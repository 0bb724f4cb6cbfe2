"""Parameters and what is kept for them: in which number formats they are stored."""
