"""Where the bearer tokens for the Kubernetes API server come from: Google's credentials, or a file."""

import threading
from collections.abc import Callable
from pathlib import Path

import google.auth
import google.auth.credentials
import google.auth.transport.requests

from berth.adapters import google_errors
from berth.domain.errors import Denied

# GKE tells who calls from the account's address, which a token carries with the second scope alone:
# https://cloud.google.com/kubernetes-engine/docs/how-to/role-based-access-control
SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
Find = Callable[[], google.auth.credentials.Credentials]


def default_credentials() -> google.auth.credentials.Credentials:
    """The function's own account: the metadata server's in the cloud. Nothing is asked of it yet."""
    credentials, _ = google.auth.default(scopes=SCOPES)
    return credentials


class GoogleToken:
    """Access tokens of one account, kept until they are about to expire. For many threads."""

    def __init__(self, find: Find = default_credentials) -> None:
        """`find` is called once, when the first token is asked for."""
        self._find = find
        self._credentials: google.auth.credentials.Credentials | None = None
        self._lock = threading.Lock()

    def __call__(self, refused: str = "") -> str:
        """Return a token that is still good for some minutes.

        `refused` is one that the API server did not take: a new one is fetched in its place, once
        for all threads that bring the same. Raises Denied or Unavailable.
        """
        with self._lock, google_errors.translated("access token"):
            if self._credentials is None:
                self._credentials = self._find()
            # `valid` ends some minutes before the token does.
            if not self._credentials.valid or self._credentials.token == refused:
                self._credentials.refresh(google.auth.transport.requests.Request())
            return str(self._credentials.token)


class FileToken:
    """A token in a file, which may be replaced at any time. For many threads."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path

    def __call__(self, refused: str = "") -> str:
        """Return what the file holds now, `refused` or not. Raises Denied."""
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise Denied(f"cluster token: {self._path}: {error.strerror}") from error
        if not token:
            raise Denied(f"cluster token: {self._path} is empty")
        return token
