"""docs/performance.md: each part between its markers is written by the command that is named there."""

from collections.abc import Iterable, Sequence

from infra.functions import ROOT

PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "performance"


def write(part: str, text: str) -> None:
    """Put a text between the markers of a part."""
    page = PAGE.read_text()
    begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE} has no markers for {part}")
    PAGE.write_text(f"{before}{begin}{text.rstrip()}\n{end}{after}")


def plot(name: str, svg: str) -> str:
    """Write a plot; return the line that shows it."""
    PLOTS.mkdir(exist_ok=True)
    (PLOTS / f"{name}.svg").write_text(svg)
    return f"![{name}](performance/{name}.svg)"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
