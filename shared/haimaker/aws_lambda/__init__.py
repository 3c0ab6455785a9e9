"""The gateway as Lambda functions."""
