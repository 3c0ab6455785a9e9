"""Input read field by field, with mistakes that name their place: TOML tables, settings."""
