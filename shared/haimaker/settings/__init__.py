"""What the deployer decides: the environment and gateway.toml."""
