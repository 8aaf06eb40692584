"""Generators and the discriminator: torch only, no configuration."""
