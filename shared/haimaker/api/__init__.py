"""The gateway's operations, by the paths that clients call."""
