"""What a run's report is made of: figures, tables, sections, and how they look."""
