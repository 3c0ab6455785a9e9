"""AWS without its SDK: signatures, the JSON protocol, endpoints."""
