"""Which targets serve a request, in which order."""
