"""The rows of the table: each function measures one, and returns its lines."""
