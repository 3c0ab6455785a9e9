"""What was used, and what that costs: exact, and pure."""
