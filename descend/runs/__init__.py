"""What a descent leaves: a folder that is a run, its report, its predictions."""
