"""Where a file name comes from: followed backwards through identities, calls and variables."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from berth.domain.errors import InvalidModel
from berth.domain.graph import MAIN, Call, Graph, Reach
from berth.protos import tensorflow_pb2 as tf

_STRING = 7
_MAX_STEPS = 2_000_000
_PASS = frozenset({"Identity", "StopGradient", "EnsureShape"})
_WRITERS = ("Assign", "ResourceScatter", "ResourceStridedSlice", "Scatter", "StridedSliceAssign")


@dataclass(frozen=True, slots=True)
class Origin:
    """The end of a trace: `kind` is fed, const, variable or other; `text` says which."""

    kind: str
    text: str


class Tracer:
    """Traces tensors in one walk. `fed` are the main graph's tensors that the loader sets."""

    def __init__(self, graph: Graph, reach: Reach, fed: Collection[str]) -> None:
        """Read the writes to string variables from the same walk."""
        self._graph = graph
        self._calls = reach.calls
        self._fed = {_full(ref) for ref in fed}
        self._steps = 0
        self._writes = [(s, n) for s, n in reach.nodes if _writes_strings(n)]

    def origins(self, scope: str, ref: str) -> set[Origin]:
        """Return every place that the tensor's value can come from; never empty.

        Raises InvalidModel when all traces together take too many steps.
        """
        found = self._trace(scope, ref)
        files = {origin for origin in found if origin.kind == "variable"}
        for variable in files:
            found.remove(variable)
            found |= self._stored(variable)
        return found or {Origin("other", "nothing")}

    def _stored(self, variable: Origin) -> set[Origin]:
        """What may have been written into one variable; a write that cannot be placed counts."""
        found: set[Origin] = set()
        for scope, node in self._writes:
            target = self._trace(scope, node.input[0]) if node.input else set()
            if target and all(t.kind == "variable" for t in target) and variable not in target:
                continue
            if node.op != "AssignVariableOp" or len(node.input) < 2:
                found.add(Origin("other", f"{node.op} ({node.name})"))
            else:
                found |= self._trace(scope, node.input[1])
        return {o if o.kind != "variable" else Origin("other", "a variable") for o in found} or {
            Origin("other", f"the variable {variable.text}, which nothing sets")
        }

    def _trace(self, scope: str, ref: str) -> set[Origin]:
        found: set[Origin] = set()
        seen: set[tuple[str, str]] = set()
        pending = [(scope, ref)]
        while pending:
            step = pending.pop()
            if step in seen:
                continue
            seen.add(step)
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise InvalidModel("the graph is too tangled to follow its file names")
            for back in self._back(*step):
                if isinstance(back, Origin):
                    found.add(back)
                else:
                    pending.append(back)
        return found

    def _back(self, scope: str, ref: str) -> Iterator["tuple[str, str] | Origin"]:
        if scope == MAIN and _full(ref) in self._fed:
            yield Origin("fed", _full(ref))
            return
        name, _, rest = ref.partition(":")
        if scope != MAIN and not rest:
            yield from self._callers(scope, name)
            return
        node = self._graph.node(scope, name)
        if node is None:
            yield Origin("other", f"{name}, which is not there")
        elif (called := self._graph.called(node)) is not None:
            yield _result(called, node, rest)
        else:
            yield _through(scope, node)

    def _callers(self, function: str, argument: str) -> Iterator["tuple[str, str] | Origin"]:
        arguments = [arg.name for arg in self._graph.functions[function].signature.input_arg]
        calls = self._calls.get(function, [])
        if argument not in arguments or not calls:
            yield Origin("other", f"argument {argument}")
            return
        for call in calls:
            yield _argument(call, arguments.index(argument))


def _argument(call: Call, position: int) -> "tuple[str, str] | Origin":
    data = [ref for ref in call.node.input if not ref.startswith("^")]
    if call.first is None or call.first + position >= len(data):
        return Origin("other", f"{call.node.op} ({call.node.name})")
    return call.scope, data[call.first + position]


def _result(called: tf.FunctionDef, node: tf.NodeDef, rest: str) -> "tuple[str, str] | Origin":
    names = [arg.name for arg in called.signature.output_arg]
    output, _, index = rest.rpartition(":")
    name = output if output in names and node.op == called.signature.name else ""
    if not name:
        number = int(index) if index.isdecimal() and len(index) < 6 else 0
        name = names[number] if number < len(names) else ""
    if name not in called.ret:
        return Origin("other", f"{node.op} ({node.name})")
    return called.signature.name, called.ret[name]


def _through(scope: str, node: tf.NodeDef) -> "tuple[str, str] | Origin":
    if node.op in _PASS or node.op == "ReadVariableOp":
        if node.input and not node.input[0].startswith("^"):
            return scope, node.input[0]
    elif node.op == "VarHandleOp":
        # All without a name share one; a name that the caller sets (`$attr`) can be any.
        if shared := node.attr["shared_name"].s if "shared_name" in node.attr else b"":
            return Origin("variable", shared.decode(errors="replace"))
    elif node.op == "Const" and "value" in node.attr:
        texts = b", ".join(node.attr["value"].tensor.string_val[:3])
        return Origin("const", texts[:200].decode(errors="replace"))
    return Origin("other", f"{node.op} ({node.name[:200]})")


def _full(ref: str) -> str:
    return ref if ":" in ref else f"{ref}:0"


def _writes_strings(node: tf.NodeDef) -> bool:
    if not node.op.startswith(_WRITERS):
        return False
    kinds = [node.attr[key] for key in ("dtype", "T") if key in node.attr]
    return not kinds or any(k.type == _STRING or k.WhichOneof("value") != "type" for k in kinds)
