"""Functional core: frozen values and pure functions.

No I/O, clock, environment, randomness or logging lives here; the standard library, pydantic and
protobuf messages are all it sees.
"""
