"""Calling providers: attempts, streams, and the way back to the client."""
