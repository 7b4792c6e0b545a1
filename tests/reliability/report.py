"""The tables of docs/reliability.md, written by `make reliability` and by nothing else."""

from pathlib import Path

from tests.reliability.faults import KINDS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"


def crashes(results) -> str:
    """One row a story: both ways of telling it together."""
    rows = [
        "| story | deliveries | calls | points | tried | survived |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        row = (result.deliveries, result.calls, result.points)
        row += (result.tried.total(), result.survived.total())
        rows.append(f"| {result.story} | " + " | ".join(f"{n:,}" for n in row) + " |")
    sums = [
        sum(result.deliveries for result in results),
        sum(result.calls for result in results),
        sum(result.points for result in results),
        sum(result.tried.total() for result in results),
        sum(result.survived.total() for result in results),
    ]
    rows.append("| **all** | " + " | ".join(f"**{n:,}**" for n in sums) + " |")
    return "\n".join(rows)


def kinds(results) -> str:
    rows = ["| failure | what it is | tried | survived |", "|---|---|---:|---:|"]
    for kind, meaning in KINDS.items():
        tried = sum(result.tried[kind] for result in results)
        survived = sum(result.survived[kind] for result in results)
        rows.append(f"| {kind} | {meaning} | {tried:,} | {survived:,} |")
    return "\n".join(rows)


def order(counts) -> str:
    rows = ["| property | worlds tried | same end |", "|---|---:|---:|"]
    rows += [f"| {name} | {tried:,} | {same:,} |" for name, (tried, same) in counts.items()]
    return "\n".join(rows)


def write(
    tables: dict[str, str], document: Path = DOCUMENT, *, by: str = "make reliability"
) -> None:
    """Put each table between its marks, which name the command that writes it."""
    text = document.read_text()
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by {by} -->\n", f"<!-- end of {name} -->"
        head, found, rest = text.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{document} has no place for {name}")
        text = head + begin + table + "\n" + end + tail
    document.write_text(text)
