"""Small HTTP questions to the parts of the stack."""

from collections.abc import Mapping
from typing import Any

import requests


def answers(url: str) -> bool:
    """Whether a GET of `url` is answered with 200."""
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def send(method: str, url: str, body: Mapping[str, Any]) -> None:
    """Send JSON; what is there already stays. Raises requests.HTTPError with what the part said."""
    answer = requests.request(method, url, json=body, timeout=10)
    if not answer.ok and answer.status_code != requests.codes.conflict:
        raise requests.HTTPError(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
