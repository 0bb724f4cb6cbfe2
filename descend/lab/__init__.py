"""The lab: a page in the browser on which descents are seen, compared, started and explained."""
