"""Line plots as small SVG files: the same figures give the same bytes."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
COLOURS = ("#1f5fbf", "#d1495b", "#2e8b57", "#e0912f", "#7a4fa3", "#3aa6b9", "#8c6d46", "#555555")
Line = Sequence[tuple[float, float]]


def plot(
    title: str,
    lines: Mapping[str, Line],
    *,
    x: str,
    y: str,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """Draw lines with a legend; logarithmic axes show only what is positive."""
    points = [point for line in lines.values() for point in line]
    across = _Axis([p[0] for p in points], LEFT, WIDTH - RIGHT, log=log_x)
    up = _Axis([p[1] for p in points], HEIGHT - BOTTOM, TOP, log=log_y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(WIDTH / 2, 20, title, anchor="middle", size=14),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, anchor="middle"),
        f'<g transform="rotate(-90 16 {HEIGHT / 2})">{_text(16, HEIGHT / 2, y, anchor="middle")}</g>',
    ]
    for value in across.ticks():
        at = across.at(value)
        parts.append(_line([(at, TOP), (at, HEIGHT - BOTTOM)], "#ddd"))
        parts.append(_text(at, HEIGHT - BOTTOM + 16, _figure(value), anchor="middle"))
    for value in up.ticks():
        at = up.at(value)
        parts.append(_line([(LEFT, at), (WIDTH - RIGHT, at)], "#ddd"))
        parts.append(_text(LEFT - 6, at + 4, _figure(value), anchor="end"))
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        drawn = [(across.at(a), up.at(b)) for a, b in line if across.shows(a) and up.shows(b)]
        parts.append(_line(drawn, colour, width=2))
        parts.append(
            _line(
                [(LEFT + 8, TOP + 10 + 16 * number), (LEFT + 28, TOP + 10 + 16 * number)],
                colour,
                width=3,
            )
        )
        parts.append(_text(LEFT + 34, TOP + 14 + 16 * number, name))
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Axis:
    def __init__(self, values: Sequence[float], begin: float, end: float, *, log: bool) -> None:
        self.log, self.begin, self.end = log, begin, end
        shown = [value for value in values if value > 0 or not log] or [1.0]
        self.low, self.high = (min(shown), max(shown)) if log else (min(0.0, *shown), max(shown))
        if log:
            self.low = 10.0 ** math.floor(math.log10(self.low))
            self.high = 10.0 ** math.ceil(math.log10(self.high))
        if self.high <= self.low:
            self.high = self.low * 10 if log else self.low + 1

    def shows(self, value: float) -> bool:
        return value > 0 or not self.log

    def at(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**n for n in range(first, last + 1)]
        step = 10 ** math.floor(math.log10(self.high - self.low))
        step = step / 2 if (self.high - self.low) / step < 3 else step
        return [n * step for n in range(math.ceil(self.low / step), int(self.high / step) + 1)]


def _line(points: Sequence[tuple[float, float]], colour: str, *, width: float = 1) -> str:
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1 and value == round(value) else f"{value:g}"
