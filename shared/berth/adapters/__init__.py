"""One module per vendor: its ports implemented, its errors translated in one table."""
