"""Chaos: the local stack under load while its parts are killed at random, and what must hold after."""
