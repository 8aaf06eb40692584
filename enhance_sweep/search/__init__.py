"""Search for better networks than a grid holds, and what it needs to know beforehand."""
