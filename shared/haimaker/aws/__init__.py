"""AWS without its SDK: signatures, the JSON protocol, and where its services are."""
