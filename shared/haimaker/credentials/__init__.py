"""Keys and tokens of providers, and how they are reached."""
