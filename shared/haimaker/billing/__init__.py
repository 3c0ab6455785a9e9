"""Reserving before a request is sent, and settling after it."""
