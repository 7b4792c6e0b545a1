"""A server whose first thread has ended while another holds its socket: a zombie that still listens.

Every killed server is that for a moment; this one stays so until it is killed.
"""

import subprocess
import sys
from contextlib import contextmanager

import psutil

from tests.support.e2e import until

_SERVER = """
import ctypes, platform, socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(60,)).start()
print(server.getsockname()[1], flush=True)
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
"""


@contextmanager
def server():
    """Start one; yields its psutil.Process and its port on 127.0.0.1."""
    process = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE)
    try:
        port = int(process.stdout.readline())
        seen = psutil.Process(process.pid)
        until("it looks dead", lambda: seen.status() == psutil.STATUS_ZOMBIE, seconds=10)
        yield seen, port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
