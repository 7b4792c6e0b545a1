"""Versions that load slowly, made by editing an ordinary one."""

from pathlib import Path

from tests.support import graph_parts, hostile, hostile_loads

_LONG = 1 << 22


def slow_to_load(into: Path, rounds: int = 600) -> Path:
    """A version whose init op computes on four million numbers so often: some seconds, then it serves.

    Long sums, because what loads may not loop.
    """

    def edit(meta):
        graph_parts.integers(meta, "long", [_LONG >> 1, 2])
        graph_parts.integers(meta, "zero", [0])
        node = meta.graph_def.node.add(name="round0", op="Fill", input=["long", "zero"])
        node.attr["T"].type = node.attr["index_type"].type = graph_parts.INT32
        for number in range(rounds):
            op = ("Sub", "Mul")[number % 2]
            node = meta.graph_def.node.add(name=f"round{number + 1}", op=op)
            node.input.extend(["round0", f"round{number}"])
            node.attr["T"].type = graph_parts.INT32
        hostile_loads.on_init(meta, f"round{rounds}")

    return hostile.write(edit, into)
