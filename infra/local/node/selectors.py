"""Label selectors as the API's query parameter writes them. Pure."""

import re
from collections.abc import Mapping

_TERM = re.compile(
    r"\s*(?:(?P<set>[\w./-]+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)"
    r"|(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)"
    r"|(?P<none>!?)\s*(?P<name>[\w./-]+))\s*(?:,|$)"
)


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Say whether `labels` satisfy every term. Raises ValueError for what is no selector."""
    place, result = 0, True
    while place < len(selector):
        term = _TERM.match(selector, place)
        if term is None:
            raise ValueError(f"no label selector: {selector}")
        result = result and _term(term.groupdict(), labels)
        place = term.end()
    return result


def _term(term: Mapping[str, str | None], labels: Mapping[str, str]) -> bool:
    if term["set"]:
        listed = {value.strip() for value in (term["values"] or "").split(",")}
        return (labels.get(term["set"]) in listed) == (term["how"] == "in")
    if term["key"]:
        return (labels.get(term["key"]) == term["value"]) == (term["op"] != "!=")
    return ((term["name"] or "") in labels) == (term["none"] == "")
