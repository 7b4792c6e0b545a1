"""The measurements as a markdown table, and as plain JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from tests.bench.served import LOAD, STAGES, WARM, Sample, percentile

_MEANING = {
    "event": "finalized -> the judging pass begins: notification, relay, on_upload, request, relay",
    "admission": "admit_model's own: list, decide, documents, promotion",
    "probe": "the call to probe_model without its child: files, structure, op policy",
    "probe child": "load: the confined child's wall time",
    "placement": "the model's document and its projection",
    "reconcile": "projected -> the replicas are told: request, relay, lease, look, live config",
    "discovery": "told -> LOADING: the server's poll of 1 s and its tick of 100 ms",
    "server load": "load: LOADING -> AVAILABLE on the replica that was last",
}


def markdown(results: dict[str, Any]) -> str:
    """Everything that was measured, for readers."""
    parts = list(_head(results))
    for name, section in (
        ("served", _served),
        ("burst", _burst),
        ("idle", _idle),
        ("imports", _imports),
    ):
        if name in results:
            parts += ["", *section(results[name])]
    return "\n".join(parts) + "\n"


def rounded(value: Any) -> Any:
    """Plain JSON with milliseconds."""
    if is_dataclass(value) and not isinstance(value, type):
        own = {"total": value.total, "ours": value.ours} if isinstance(value, Sample) else {}
        return rounded(asdict(value) | own)
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _head(results: dict[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    yield "# Benchmarks"
    yield ""
    yield "`make bench` on one local stack, real parts throughout; written by it, not by hand."
    yield ""
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}; load average {machine['load_before']} before, "
        f"{results['load_after']} after (others share the machine); "
        f"commit {results['commit']}, {machine['at']}, {results['seconds']} s in all."
    )


def _served(samples: list[Sample]) -> Iterator[str]:
    yield f"## Finalize -> AVAILABLE on all replicas, {len(samples)} uploads"
    yield ""
    yield from _table(("stage", "p50 s", "p95 s", "what"), _stages(samples))
    yield ""
    fresh = [s.ours for s in samples if s.new_model]
    later = [s.ours for s in samples if not s.new_model]
    yield (
        f"Ours, {len(fresh)} new models: p50 {percentile(fresh, 0.5):.2f} s; "
        f"{len(later)} new versions: p50 {percentile(later, 0.5):.2f} s. "
        "Percentiles are nearest rank; each row has its own, so they do not add up. "
        f"Where all else goes: {_where(samples)}. "
        f"{WARM} uploads before are not counted: they build each instance's clients (see imports)."
    )


def _where(samples: list[Sample]) -> str:
    """Each stage's share of all but the load, from the sums over all uploads."""
    ours = sum(sample.ours for sample in samples)
    shares = {s: sum(x.stages[s] for x in samples) / ours for s in STAGES if s not in LOAD}
    listed = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{stage} {share:.0%}" for stage, share in listed)


def _stages(samples: list[Sample]) -> Iterator[tuple[str, ...]]:
    for stage in STAGES:
        yield _row(stage, [s.stages[stage] for s in samples], _MEANING[stage])
    polls = [s.ours - s.stages["discovery"] for s in samples]
    yield _row("**load**", [sum(s.stages[x] for x in LOAD) for s in samples], "the model's own")
    yield _row("**all else**", [s.ours for s in samples], "aim: p50 <= 1.2, p95 <= 2.0")
    yield _row("without discovery", polls, "what Berth's own code and its platform take")
    yield _row("**in all**", [s.total for s in samples], "finalize -> AVAILABLE on all replicas")
    yield _row(
        "announced",
        [s.announced for s in samples],
        "AVAILABLE -> boot config written, SERVING published",
    )


def _row(name: str, values: list[float], what: str) -> tuple[str, ...]:
    return name, f"{percentile(values, 0.5):.3f}", f"{percentile(values, 0.95):.3f}", what


def _burst(found: dict[str, Any]) -> Iterator[str]:
    served, twice = found["served_seconds"], sum(found["delivered_twice"].values())
    yield f"## {found['uploads']} uploads and {found['sign_ups']} sign-ups at once"
    yield ""
    yield (
        f"Sent in {found['sent_seconds']:.1f} s; the first serves after {served['first']:.1f} s, half "
        f"after {served['p50']:.1f} s, all after **{served['all']:.1f} s**. Lost: "
        f"**{len(found['lost'])}**; dead letters: {found['dead_letters']}; messages put off and "
        f"delivered again: {sum(found['redelivered'].values())} {found['redelivered'] or ''}; "
        f"events a function saw twice: {twice}. "
        f"Requests to Cloud Storage: {found['storage_requests']}."
    )
    yield ""
    rows = [
        (
            kind,
            *(f"{row[k]}" for k in ("objects", "writes", "per_object", "most")),
            f"{row['closest_seconds']}",
        )
        for kind, row in found["writes"].items()
    ]
    head = ("object", "objects", "writes", "each", "most", "closest two writes to one, s")
    yield from _table(head, rows)
    yield ""
    yield f"Passes by outcome: {found['passes']}"
    yield ""
    most = ", ".join(f"`{name}` {mib:.0f}" for name, mib in found["peak_mib"].items())
    yield f"The most resident memory of one instance with its children, in MiB: {most}."


def _idle(found: dict[str, Any]) -> Iterator[str]:
    shards = found["shard_pass_seconds"]
    yield f"## An idle tick over {found['models']} models"
    yield ""
    yield (
        f"{found['shards']} shards, {found['replicas']} replicas, every model loaded; median of "
        "three ticks. Cloud Storage's requests are counted from the emulator's log, writes from "
        "object generations and the API server's audit log."
    )
    yield ""
    requests = found["storage_requests"]
    rows = [
        ("tick published -> all passes ended", f"{found['seconds']:.2f} s"),
        ("the fleet's pass", f"{sum(found['fleet_pass_seconds']):.2f} s"),
        ("a shard's pass, slowest", f"{max(shards):.2f} s"),
        (
            "reads of Cloud Storage",
            f"{requests.get('gets', 0)} gets, {requests.get('lists', 0)} lists",
        ),
        (
            "writes to Cloud Storage",
            f"{requests.get('writes', 0)} ({found['changed_objects']} objects changed)",
        ),
        ("writes to the cluster", f"{found['cluster_writes']}"),
    ]
    yield from _table(("what", "measured"), rows)


def _imports(found: dict[str, dict[str, float]]) -> Iterator[str]:
    yield "## Import time and memory of each function's bundle"
    yield ""
    yield "Fresh `python -I` in the staged bundle, median of five, byte code warm, one at a time."
    yield ""
    rows = [
        (
            name,
            f"{row['import_seconds'] * 1000:.0f}",
            f"{row['build_seconds'] * 1000:.0f}",
            f"{row['import_mib']:.0f}",
            f"{row['built_mib']:.0f}",
        )
        for name, row in found.items()
    ]
    head = ("function", "import ms", "first event adds ms", "MiB imported", "MiB built")
    yield from _table(head, rows)


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
