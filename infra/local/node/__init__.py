"""The node agent: a kubelet whose pods are processes, each on a loopback address of its own.

`spec`, `status`, `backoff`, `gate` and `selectors` are pure; `sandbox` is the launcher that becomes
the container's process; the rest talks to the API server and to processes.
"""
