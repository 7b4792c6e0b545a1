"""One module per vendor, each implementing ports and translating that vendor's errors in one table."""
