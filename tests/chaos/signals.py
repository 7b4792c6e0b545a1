"""Signals to a part as a whole: a function is two processes, the one that is named and its worker."""

import os


def send(part, number):
    """To every process of a part, which leads its process group; a pod's is another. Raises OSError."""
    os.killpg(part, number)
