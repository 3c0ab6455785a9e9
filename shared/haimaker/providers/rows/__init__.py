"""The rows of the table that `providers.py` puts together, by how known and how they are called. Data only."""
