"""Counters and histograms in Prometheus's text form, under the names the real server exports."""

import threading

_BOUNDS = [10 * 1.8**power for power in range(33)]
_REQUESTS = ":tensorflow:serving:request_count"
_LATENCY = ":tensorflow:serving:request_latency"
_RUNTIME = ":tensorflow:serving:runtime_latency"
_LOADS = ":tensorflow:cc:saved_model:load_attempt_count"
_LOAD_MICROS = ":tensorflow:cc:saved_model:load_latency"

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """All series; none is ever dropped."""

    def __init__(self) -> None:
        """No series yet."""
        self._lock = threading.Lock()
        self._counters: dict[str, dict[Labels, int]] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}

    def request(self, model: str, code: str) -> None:
        """One request for `model` that ended with status `code`."""
        self._count(_REQUESTS, (("model_name", model), ("status", code)), 1)

    def latency(self, model: str, api: str, entrypoint: str, micros: float) -> None:
        """The time of one successful request."""
        labels = (("model_name", model), ("API", api), ("entrypoint", entrypoint))
        self._observe(_LATENCY, labels, micros)

    def runtime(self, model: str, micros: float) -> None:
        """The time of one session run."""
        labels = (("model_name", model), ("API", "Predict"), ("runtime", "TF1"))
        self._observe(_RUNTIME, labels, micros)

    def load(self, path: str, *, succeeded: bool, micros: float) -> None:
        """One attempt to load a SavedModel."""
        outcome = "success" if succeeded else "fail"
        self._count(_LOADS, (("model_path", path), ("status", outcome)), 1)
        self._count(_LOAD_MICROS, (("model_path", path),), int(micros))

    def value(self, name: str) -> int | None:
        """Sum over a counter's series, by its path-like name; None if there is no such counter."""
        series = self._counters.get(name.replace("/", ":"))
        return None if series is None else sum(series.values())

    def _count(self, name: str, labels: Labels, by: int) -> None:
        with self._lock:
            series = self._counters.setdefault(name, {})
            series[labels] = series.get(labels, 0) + by

    def _observe(self, name: str, labels: Labels, value: float) -> None:
        with self._lock:
            series = self._histograms.setdefault(name, {})
            cells = series.setdefault(labels, [0.0] * (len(_BOUNDS) + 2))
            low = next((i for i, bound in enumerate(_BOUNDS) if value < bound), len(_BOUNDS))
            cells[low] += 1
            cells[-1] += value

    def text(self) -> bytes:
        """The page that Prometheus scrapes."""
        lines = []
        with self._lock:
            for name, counts in self._counters.items():
                lines.append(f"# TYPE {name} counter")
                lines += [f"{name}{{{_labels(each)}}} {count}" for each, count in counts.items()]
            for name, histograms in self._histograms.items():
                lines.append(f"# TYPE {name} histogram")
                for labels, cells in histograms.items():
                    lines += _histogram(name, _labels(labels), cells)
        return ("\n".join(lines) + "\n").encode()


def _histogram(name: str, labels: str, cells: list[float]) -> list[str]:
    lines, total = [], 0
    for bound, count in zip([*map(repr, _BOUNDS), "+Inf"], cells, strict=False):
        total += int(count)
        lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
    lines.append(f"{name}_sum{{{labels}}} {cells[-1]:g}")
    lines.append(f"{name}_count{{{labels}}} {total}")
    return lines


def _labels(labels: Labels) -> str:
    escaped = ((key, value.replace("\\", "\\\\").replace('"', '\\"')) for key, value in labels)
    return ",".join(f'{key}="{value}"' for key, value in escaped)
