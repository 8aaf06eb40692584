"""The report's figures: what each draws, and its two renderers."""
