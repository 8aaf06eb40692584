"""The report's figures: the data that each shows, and two renderers (plotly.js and matplotlib)."""
