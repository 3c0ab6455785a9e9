"""One log line a request, metrics, and redaction of what is kept."""
