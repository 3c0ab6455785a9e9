"""Keys, and the accounts that requests are charged to."""
