"""Tells uv what the machine told pip: indexes, certificates, proxies. uv does not read pip's configuration.

Names on both sides: https://pip.pypa.io/en/stable/cli/pip and https://docs.astral.sh/uv/reference/environment.
"""

import ast
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

# pip's option: uv's variable, and what stands between several values there.
_SAME = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "retries": ("UV_HTTP_RETRIES", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY")
# requests reads these, and so does pip, when no certificates are configured.
_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def options(listing: str) -> dict[str, str]:
    """The options that `pip install` obeys, from the lines of `pip config list`.

    pip's order: the environment before the section of the command before `global`.
    Raises ValueError for a line that is no setting.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, dot, name = key.rpartition(".")
        if not (equals and dot):
            raise ValueError(f"no setting of pip: {line}")
        if section in found:
            found[section][name] = str(ast.literal_eval(value))
    return found["global"] | found["install"] | found[":env:"]


def translate(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment for uv; a variable of uv's own that is set already wins."""
    wanted = {
        variable: between.join(pip[name].split())
        for name, (variable, between) in _SAME.items()
        if pip.get(name, "").strip()
    }
    if proxy := pip.get("proxy"):
        wanted |= dict.fromkeys(_PROXIES, proxy)
    if "UV_INDEX" in wanted:
        # pip takes the best of all indexes, uv the first that knows the name; the hashes hold either.
        wanted["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    own = {name: value for name, value in wanted.items() if not environment.get(name)}
    return own | _certificates(pip, environment)


def _certificates(pip: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    if told := pip.get("cert"):
        return _bundle(told)
    if environment.get("SSL_CERT_FILE") or environment.get("SSL_CERT_DIR"):
        return {}
    if told := next((environment[name] for name in _REQUESTS if environment.get(name)), ""):
        return _bundle(told)
    # As pip since 24.2: the system's certificates; uv's own where the system has none.
    system = ssl.get_default_verify_paths()
    return {"UV_SYSTEM_CERTS": "true"} if system.cafile or system.capath else {}


def _bundle(path: str) -> dict[str, str]:
    full = Path(path).expanduser()
    return {"SSL_CERT_DIR" if full.is_dir() else "SSL_CERT_FILE": os.fspath(full)}
