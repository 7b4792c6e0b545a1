"""Berth: an event-driven serverless control plane for TensorFlow models.

Importing the package costs nothing: no vendor SDK, no environment, no I/O.
"""
