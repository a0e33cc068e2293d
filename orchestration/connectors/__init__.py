"""Connectors: each fetches one source's tables and does one thing with them: land deliveries."""
