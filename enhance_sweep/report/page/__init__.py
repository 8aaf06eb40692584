"""The report as files: a page that works offline, the same in Markdown."""
