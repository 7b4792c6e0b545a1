"""The door's Lua parts in a LuaJIT of this process: text in and out as bytes."""

from lupa import luajit21

from berth import door

BYTES = 16 * 1024**2


def load(folder="/nowhere"):
    """A runtime with every part of the filter; `part(name)` gives one of its tables or functions."""
    runtime = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
    parts = ", ".join(door.PARTS[:-1]).replace("table", "lookup")
    settings = f'local SETTINGS = {{ folder = "{folder}", body = {BYTES} }}\n'
    found = runtime.execute(f"{settings}{door.script()}\nreturn {parts}".encode())
    return dict(zip(door.PARTS[:-1], found, strict=True))


def plain(value):
    """A Lua table as a dict of text; what is no table as it is."""
    if luajit21.lua_type(value) != "table":
        return value.decode() if isinstance(value, bytes) else value
    return {plain(key): plain(value[key]) for key in value}
