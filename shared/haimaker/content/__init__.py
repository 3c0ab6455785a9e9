"""Prompts and answers that are kept, where a key wants that."""
