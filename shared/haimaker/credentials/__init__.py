"""How the gateway gets into its providers."""
