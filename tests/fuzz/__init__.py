"""Hostile clients and providers, from a seed: `make fuzz MINUTES=10`, and a sample of it among the tests."""
