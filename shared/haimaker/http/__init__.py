"""HTTP as both sides speak it: requests and answers as values, errors, JSON, event streams, forms, and the client."""
