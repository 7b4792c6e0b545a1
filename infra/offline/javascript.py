"""Reads one resource's schema out of the JavaScript that cdktn generates for it.

The text is generated, one fact a line: a function `<struct>ToHclTerraform` lists the arguments of each
nested struct with `isBlock`, `type` and `storageClassType`; each class says in a comment above a member
whether it is computed, optional or required. What is not understood is an error, never a guess.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from infra.offline import documentation
from infra.offline.documentation import Documentation

_CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{")
_MAPPER = re.compile(r"^function (\w+)ToHclTerraform\(")
_MEMBER = re.compile(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)$")
_NESTED = re.compile(
    r'= new (?:\w+\.)?([A-Z]\w*?)(List|OutputReference)\(this, "\w+"(?:, (\w+))?\);'
)
_MAP = re.compile(r"= new cdktn\.(String|Number|Boolean|Any)(Map|MapList)\(")
_RETURN = re.compile(r"^        return (.*);$")
_GETTER = re.compile(r"^(cdktn\.Fn\.tolist\()?this\.get(\w*?)Attribute\('\w+'\)\)?$")
_SCALAR = {"string": "string", "number": "number", "boolean": "bool"}
_ENTRY = re.compile(r"^ +(\w+): \{$")
_FACT = re.compile(r'^ +(isBlock|type|storageClassType): "?(\w+)"?,$')
# a type as Terraform writes it in JSON: "string", or ["list", "string"]
Type = str | list[Any]
_PROVIDER = "GoogleProvider itself"


class Unreadable(ValueError):
    """The generated text does not have the form that this module knows."""


@dataclass(slots=True)
class _Member:
    computed: bool
    optional: bool
    required: bool
    lines: list[str]

    def flags(self) -> dict[str, bool]:
        names = ("computed", "optional", "required")
        return {name: True for name in names if getattr(self, name)}


@dataclass(slots=True)
class _Texts:
    """What the files of one resource say: arguments of each struct, members of each class."""

    arguments: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    members: dict[str, dict[str, _Member]] = field(default_factory=dict)
    root: str = ""
    told: Documentation = field(default_factory=Documentation)

    def stated(self, owner: str) -> str:
        """The name that the documentation has for a class."""
        return documentation.ROOT if owner == self.root else owner


def block(scripts: Iterable[str], declarations: Iterable[str]) -> dict[str, Any]:
    """A resource's block in the shape of `terraform providers schema -json`.

    One thing is ours: an attribute that takes only certain values has them as `"values"`.
    Raises Unreadable for any text that is not of the known form, and where scripts and declarations
    do not agree on what is a block.
    """
    read = _Texts(told=documentation.read(declarations))
    for text in scripts:
        _read(text, read)
    if not read.root:
        raise Unreadable("no resource, data source or provider class")
    return _block(read, read.root)


def _read(text: str, into: _Texts) -> None:
    owner, current = "", None
    lines = [line for line in text.splitlines() if not line.startswith("//#")]
    for number, line in enumerate(lines):
        if match := _CLASS.match(line):
            owner, current = _class(match[1], match[2], into), None
        elif match := _MAPPER.match(line):
            owner = match[1][:1].upper() + match[1][1:]
            into.arguments.setdefault(owner, {})
        elif match := _MEMBER.match(line):
            computed, optional, required = (flag == "true" for flag in match.groups()[1:])
            member = _Member(computed, optional, required, lines[number + 1 : number + 5])
            into.members[owner][match[1]] = member
        elif match := _ENTRY.match(line):
            current = match[1]
        elif (match := _FACT.match(line)) and current and owner:
            facts = into.arguments.setdefault(owner, {}).setdefault(current, {})
            facts[match[1]] = match[2]
            if match[1] == "isBlock":
                facts["value"] = lines[number - 1].strip()


def _class(name: str, base: str, into: _Texts) -> str:
    if base in {"TerraformResource", "TerraformDataSource", "TerraformProvider"}:
        # a nested struct may bear the resource's own name
        name = into.root = f"{name} itself"
    elif base == "ComplexObject":
        name = name.removesuffix("OutputReference")
    elif base == "ComplexList":
        return name
    else:
        raise Unreadable(f"class {name} extends {base}")
    into.members.setdefault(name, {})
    return name


def _block(read: _Texts, owner: str) -> dict[str, Any]:
    members, arguments = _of(read, owner), read.arguments.get(owner, {})
    if unknown := arguments.keys() - members.keys():
        raise Unreadable(f"{owner}: no flags of {sorted(unknown)}")
    attributes: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    for name, member in sorted(members.items()):
        facts = arguments.get(name)
        if name == "alias" and owner == _PROVIDER:
            continue  # of the language, not of the provider
        if facts is None:
            attributes[name] = {"type": _computed(read, owner, name, member), "computed": True}
        elif facts["isBlock"] == "true":
            blocks[name] = _nested(read, owner, name, member, facts)
        else:
            attributes[name] = {"type": _type(owner, name, facts), **member.flags()}
    _compare(read, owner, attributes, blocks)
    return {"attributes": attributes, "block_types": blocks}


def _compare(read: _Texts, owner: str, attributes: dict[str, Any], blocks: dict[str, Any]) -> None:
    stated = read.stated(owner)
    if (told := read.told.blocks.get(stated, set())) != set(blocks):
        raise Unreadable(f"{owner}: blocks {sorted(blocks)}, but documented {sorted(told)}")
    for name, values in read.told.values.get(stated, {}).items():
        if name in attributes:
            attributes[name]["values"] = values


def _nested(
    read: _Texts, owner: str, name: str, member: _Member, facts: dict[str, str]
) -> dict[str, Any]:
    match = _NESTED.search(member.lines[0])
    if match is None:
        # the provider's own blocks are plain members without flags
        inner, many = facts["storageClassType"].removesuffix("List"), True
        optional = _Member(computed=False, optional=True, required=False, lines=[])
        read.members[inner] = dict.fromkeys(read.arguments[inner], optional)
    else:
        inner, many = match[1], match[2] == "List"
    if member.computed:
        raise Unreadable(f"{owner}.{name}: a block that is computed")
    nesting = {"list": "list", "set": "set", "struct": "single"}.get(facts["type"])
    if nesting is None:
        raise Unreadable(f"{owner}.{name}: a block of type {facts['type']}")
    result: dict[str, Any] = {"nesting_mode": nesting, "block": _block(read, inner)}
    if nesting != "single":
        result["min_items"] = int(member.required)
        result["max_items"] = 0 if many else 1
    return result


def _type(owner: str, name: str, facts: dict[str, str]) -> Type:
    kind, storage = facts["type"], facts["storageClassType"]
    if kind == "simple" and storage in _SCALAR:
        return _SCALAR[storage]
    for suffix in ("List", "Map"):
        element = storage.removesuffix(suffix)
        if storage.endswith(suffix) and element in _SCALAR and kind in {"list", "set", "map"}:
            return [kind, _SCALAR[element]]
    raise Unreadable(f"{owner}.{name}: {facts}")


def _computed(read: _Texts, owner: str, name: str, member: _Member) -> Type:
    first = member.lines[0]
    if match := _MAP.search(first):
        element = _SCALAR[match[1].lower()]
        return ["map", element] if match[2] == "Map" else ["list", ["map", element]]
    if match := _NESTED.search(first):
        kind = "set" if match[3] == "true" else "list"
        return [kind, ["object", _object(read, match[1])]]
    for line in member.lines:
        if match := _RETURN.match(line):
            return _getter(owner, name, match[1])
    raise Unreadable(f"{owner}.{name}: {first.strip()}")


def _getter(owner: str, name: str, text: str) -> Type:
    if match := _GETTER.match(text):
        kind = match[2].lower()
        if kind in _SCALAR:
            return _SCALAR[kind]
        collection = "set" if match[1] else "list"
        element = kind.removesuffix("list") or "string"
        if kind.endswith("list") and element in _SCALAR:
            return [collection, _SCALAR[element]]
    raise Unreadable(f"{owner}.{name}: {text}")


def _object(read: _Texts, owner: str) -> dict[str, Type]:
    members = sorted(_of(read, owner).items())
    return {name: _computed(read, owner, name, member) for name, member in members}


def _of(read: _Texts, owner: str) -> dict[str, _Member]:
    if owner not in read.members:
        raise Unreadable(f"no class {owner}")
    return read.members[owner]
