"""Use cases, one module per function: the order in which ports are asked and told.

No vendor SDK, no CloudEvents; failures pass through untouched.
"""
