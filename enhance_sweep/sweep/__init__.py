"""One variant or many: planned, trained, scored, timed and recorded."""
