"""Statistics: paired scores, speed-ups, cost models, rank agreement. Each formula stands once."""
