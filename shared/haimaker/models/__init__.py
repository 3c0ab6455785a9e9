"""What is known of models: names, prices, limits, capabilities. One table."""
