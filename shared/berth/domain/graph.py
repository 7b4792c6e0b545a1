"""A MetaGraph as a graph: what its roots reach, and where a tensor's value comes from.

Nothing is executed. Each node and function is visited once per walk: time is linear in the model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from berth.domain.errors import InvalidModel
from berth.protos import tensorflow_pb2 as tf

MAX_NODES = 1_000_000
MAX_FUNCTIONS = 50_000
MAX_CALLS = 2_000_000
_MAX_TWINS = 64
MAIN = ""
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BRANCHES = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})


@dataclass(frozen=True, slots=True)
class Call:
    """A node that calls a function; its input `first` becomes argument 0 (None: not traceable)."""

    scope: str
    node: tf.NodeDef
    first: int | None


@dataclass(slots=True)
class Reach:
    """What a walk reached: nodes with their scope (MAIN or a function), functions' calls."""

    nodes: list[tuple[str, tf.NodeDef]] = field(default_factory=list)
    calls: dict[str, list[Call]] = field(default_factory=dict)
    count: int = 0


class Graph:
    """Indexed view of a MetaGraph's nodes and functions."""

    def __init__(self, meta: tf.MetaGraphDef) -> None:
        """Raises InvalidModel when it is too large or a name stands twice."""
        library = meta.graph_def.library
        if len(library.function) > MAX_FUNCTIONS:
            raise InvalidModel(f"more than {MAX_FUNCTIONS} functions")
        total = len(meta.graph_def.node) + sum(len(f.node_def) for f in library.function)
        if total > MAX_NODES:
            raise InvalidModel(f"more than {MAX_NODES} nodes")
        self.functions = {f.signature.name: f for f in library.function}
        if len(self.functions) != len(library.function) or MAIN in self.functions:
            raise InvalidModel("two functions of the graph have one name, or one has none")
        self._nodes = {MAIN: _by_name(meta.graph_def.node)}
        self._alike = _implementations(library.function)

    def node(self, scope: str, name: str) -> tf.NodeDef | None:
        """Return a node of the main graph or of a function's body."""
        if scope not in self._nodes:
            self._nodes[scope] = _by_name(self.functions[scope].node_def)
        return self._nodes[scope].get(name)

    def walk(self, roots: Iterable[str]) -> Reach:
        """Return all that running the tensors or nodes named by `roots` can execute.

        In the main graph that is what they depend on; of a function everything, because
        TensorFlow runs a body's stateful nodes whether or not its results need them.
        """
        reach, seen, pending = Reach(), set[str](), [node_of(root) for root in roots]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            node = self.node(MAIN, name)
            if node is None:
                raise InvalidModel(f"the graph has no node {name[:200]!r}, but refers to it")
            pending.extend(node_of(ref) for ref in node.input)
            self._enter(reach, MAIN, node)
        return reach

    def _enter(self, reach: Reach, scope: str, node: tf.NodeDef) -> None:
        pending = [(scope, node)]
        while pending:
            scope, node = pending.pop()
            reach.nodes.append((scope, node))
            for name, call in self._calls(scope, node):
                reach.count += 1
                if reach.count > MAX_CALLS:
                    raise InvalidModel(f"more than {MAX_CALLS} calls of functions")
                if name not in reach.calls:
                    reach.calls[name] = []
                    pending.extend((name, inner) for inner in self.functions[name].node_def)
                reach.calls[name].append(call)

    def _calls(self, scope: str, node: tf.NodeDef) -> Iterator[tuple[str, Call]]:
        if node.op in self.functions:
            yield from self._twins(node.op, Call(scope, node, 0))
        plain = {"f": 0} if node.op in _CALLS else {}
        if node.op in _BRANCHES:
            plain = {"then_branch": 1, "else_branch": 1, "branches": 1}
        for key, value in node.attr.items():
            for depth, name in _function_names(value):
                if name in self.functions:
                    first = plain.get(key) if depth == 0 else None
                    yield from self._twins(name, Call(scope, node, first))
                    yield from self._defaults(name, node)
        yield from self._defaults(node.op, node)

    def _defaults(self, function: str, node: tf.NodeDef) -> Iterator[tuple[str, Call]]:
        """What a body calls by `$attr` where the caller leaves the attribute to its default."""
        if function in self.functions:
            for attr in self.functions[function].signature.attr:
                for _, name in _function_names(attr.default_value):
                    if name in self.functions:
                        yield from self._twins(name, Call(function, node, None))

    def _twins(self, name: str, call: Call) -> Iterator[tuple[str, Call]]:
        """The function and those TensorFlow may put in its place (attribute api_implements)."""
        yield name, call
        for other in self._alike.get(name, ()):
            if other != name:
                yield other, call

    def called(self, node: tf.NodeDef) -> tf.FunctionDef | None:
        """Return the one function whose results are the node's outputs, if it is a plain call."""
        name = node.attr["f"].func.name if node.op in _CALLS and "f" in node.attr else node.op
        return None if self._alike.get(name) else self.functions.get(name)


def node_of(ref: str) -> str:
    """Return the node's name in `^node`, `node`, `node:0` or `node:output:0`."""
    return ref.removeprefix("^").split(":", 1)[0]


def _by_name(nodes: Sequence[tf.NodeDef]) -> dict[str, tf.NodeDef]:
    named = {node.name: node for node in nodes}
    if len(named) != len(nodes):
        raise InvalidModel("two nodes of the graph have one name")
    return named


def _implementations(functions: Iterable[tf.FunctionDef]) -> Mapping[str, tuple[str, ...]]:
    groups: dict[bytes, list[str]] = {}
    for function in functions:
        if "api_implements" in function.attr:
            groups.setdefault(function.attr["api_implements"].s, []).append(function.signature.name)
    if any(len(group) > _MAX_TWINS for group in groups.values()):
        raise InvalidModel(f"more than {_MAX_TWINS} functions implement one thing")
    return {name: tuple(group) for group in groups.values() for name in group if len(group) > 1}


def _function_names(value: tf.AttrValue) -> Iterator[tuple[int, str]]:
    """Every function named in an attribute, with its depth: functions can carry functions."""
    pending = [(0, value)]
    while pending:
        depth, value = pending.pop()
        kind = value.WhichOneof("value")
        named = [value.func] if kind == "func" else list(value.list.func) if kind == "list" else []
        for func in named:
            yield depth, func.name
            pending.extend((depth + 1, inner) for inner in func.attr.values())
