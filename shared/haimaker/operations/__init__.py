"""What clients may ask for: a module per operation, with what it may use at most and OpenAI's shape of an answer. Pure."""
