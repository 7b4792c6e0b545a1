"""Locked Python packages: who needs which, in which bytes, under which licence, with which known faults.

`pip_settings` and `environment` run before anything is installed: the standard library alone.
"""
