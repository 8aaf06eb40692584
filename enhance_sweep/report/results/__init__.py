"""Gathers and selects what a folder of runs holds, before anything is shown."""
