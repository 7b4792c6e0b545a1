"""What probe_model may read: one version's files, with the grant that came with the request."""

from pathlib import Path

from google.cloud import storage

from berth.adapters import gcs
from berth.domain.manifest import ManifestFile
from berth.domain.probing import ProbeRequest


class GrantedFiles:
    """VersionFiles over Cloud Storage. `anonymous` for emulators."""

    def __init__(self, *, anonymous: bool) -> None:
        """Nothing is asked of the service yet."""
        self._anonymous = anonymous
        self._kept: tuple[str, storage.Client] | None = None

    def fetch(self, request: ProbeRequest, file: ManifestFile, into: Path) -> None:
        """See VersionFiles.fetch."""
        store = gcs.GcsObjectStore(self._client(request.access_token or ""), request.bucket)
        store.download(request.prefix + file.name, generation=file.generation, into=into)

    def _client(self, token: str) -> storage.Client:
        """One client a grant: it lasts for the files of a request, and no longer than that."""
        if self._kept is None or self._kept[0] != token:
            self._kept = token, gcs.client("probe", anonymous=self._anonymous, token=token)
        return self._kept[1]
