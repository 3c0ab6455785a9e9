"""The rows of the table that `registry.py` puts together, by how known and how they are called. Data only."""
