"""What probe_model may read: one version's files, with the grant that came with the request."""

from dataclasses import dataclass
from pathlib import Path

from google.cloud import storage
from google.oauth2.credentials import Credentials

from berth.adapters import gcs
from berth.domain.manifest import ManifestFile
from berth.domain.probing import ProbeRequest


@dataclass(frozen=True, slots=True)
class GrantedFiles:
    """VersionFiles over Cloud Storage. `anonymous` for emulators."""

    anonymous: bool

    def fetch(self, request: ProbeRequest, file: ManifestFile, into: Path) -> None:
        """See VersionFiles.fetch."""
        store = gcs.GcsObjectStore(self._client(request), request.bucket)
        store.download(request.prefix + file.name, generation=file.generation, into=into)

    def _client(self, request: ProbeRequest) -> storage.Client:
        if self.anonymous:
            return gcs.client("probe", anonymous=True)
        return storage.Client(project="probe", credentials=Credentials(request.access_token))
