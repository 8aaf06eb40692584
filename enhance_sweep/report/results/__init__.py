"""What a folder of runs says, before it is shown."""
