"""Statistics: paired scores, speed-ups, cost models. Each formula stands once."""
