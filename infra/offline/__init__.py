"""Terraform without an account: a real OpenTofu, and the google provider's schema behind a provider of our own."""
