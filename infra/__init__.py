"""Deployment and the local stack: what surrounds the control plane, never imported by it."""
