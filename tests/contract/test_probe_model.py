"""The whole probe on folders of real files: verdicts a customer can read, and only what is needed is read."""

import base64
import shutil

import google_crc32c
import pytest

from berth.adapters import sandbox
from berth.app.probe_model import ProbeModel
from berth.domain.errors import NotFound, Unavailable
from berth.domain.manifest import Limits, Manifest, ManifestFile
from berth.domain.probing import LoadResult, ProbeReport, ProbeRequest
from tests.support import hostile, probe_models

SHARD = "variables/variables.data-00000-of-00001"


class Folder:
    """Serves one folder as if it were a bucket, and remembers what was asked for."""

    def __init__(self, root):
        self.root = root
        self.fetched = []

    def fetch(self, request, file, into):
        self.fetched.append(file.name)
        source = self.root / file.name
        if not source.exists():
            raise NotFound(file.name)
        shutil.copyfile(source, into)

    def request(self, **changes):
        files = tuple(
            ManifestFile(
                name=str(path.relative_to(self.root)),
                generation=1,
                size=path.stat().st_size,
                crc32c=base64.b64encode(
                    google_crc32c.Checksum(path.read_bytes()).digest()
                ).decode(),
            )
            for path in self.root.rglob("*")
            if path.is_file()
        )
        fields = {
            "bucket": "uploads",
            "prefix": "acme/digits/1/",
            "manifest": Manifest(files=files),
            "limits": Limits(memory_mib=512, seconds=20),
            **changes,
        }
        return ProbeRequest(**fields)


class NotLoaded:
    """A loader that must not be reached."""

    def load(self, folder, limits):
        raise AssertionError("loaded")


class Loads:
    """A loader that accepts and remembers what it was given."""

    def load(self, folder, limits):
        self.files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        return LoadResult(tensorflow_version="2.20.0")


@pytest.fixture
def upload(tmp_path):
    def copy(name="module"):
        return Folder(shutil.copytree(probe_models.model(name), tmp_path / "up"))

    return copy


def test_an_ordinary_model_is_accepted(upload):
    folder = upload("asset")
    report = ProbeModel(folder, sandbox.SandboxedLoader()).probe(folder.request())
    assert report.state == "ACCEPTED"
    assert report.measurements.resident_bytes > 0
    assert "serving_default" in report.signatures
    assert set(report.files) == {
        *("saved_model.pb", "fingerprint.pb", "assets/vocabulary.txt"),
        *("variables/variables.index", SHARD),
    }
    assert len(report.digest) == 64
    assert ProbeReport.model_validate_json(report.model_dump_json()) == report


def test_only_what_is_promoted_is_read(upload):
    folder, loader = upload("asset"), Loads()
    for name in ("assets/undeclared.txt", "debug/info.pb", "notes.txt", "assets.extra/warm"):
        (folder.root / name).parent.mkdir(exist_ok=True)
        (folder.root / name).write_text("x")
    (folder.root / "variables" / "variables.data-00000-of-00002").write_text("x")
    report = ProbeModel(folder, loader).probe(folder.request())
    assert loader.files == sorted(report.files) == sorted(folder.fetched)
    assert "assets/undeclared.txt" not in report.files
    warm = ProbeModel(folder, loader).probe(folder.request(warmup=True))
    assert "assets.extra/warm" in warm.files


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        (lambda root: (root / "saved_model.pb").unlink(), "saved_model.pb"),
        (
            lambda root: (root / "variables/variables.index").unlink(),
            "variables/variables.index",
        ),
        (lambda root: (root / SHARD).unlink(), SHARD),
        (lambda root: (root / SHARD).write_bytes(b"123456789012"), f"{SHARD} (12 of"),
        (lambda root: shutil.rmtree(root / "assets"), "assets/vocabulary.txt"),
    ],
)
def test_what_is_not_there_yet_is_incomplete(upload, damage, missing):
    folder = upload("asset")
    damage(folder.root)
    report = ProbeModel(folder, NotLoaded()).probe(folder.request())
    assert report.state == "INCOMPLETE"
    assert report.missing[0].startswith(missing)
    assert missing in report.reason
    assert SHARD not in folder.fetched


@pytest.mark.parametrize(
    ("edit", "model", "reason"),
    [
        (hostile.read_file_in_signature, "module", "op ReadFile reads files"),
        (hostile.read_file_in_function, "module", "in function inner: op ReadFile"),
        (hostile.write_file_on_restore, "module", "op WriteFile writes files"),
        (hostile.constant_restore, "module", "the constant path 'gs://models/rival"),
        (hostile.restore_in_signature, "module", "op RestoreV2 reads files"),
        (hostile.escaping_asset, "table", "asset name"),
        (hostile.wrong_tag, "module", "tagged exactly 'serve'"),
        (hostile.no_signatures, "module", "no signature"),
        (hostile.unknown_op, "module", "op MyCustomOp is not among the ops"),
        (hostile.huge_constant, "module", "the constant 'huge' has the shape [4294967296]"),
    ],
)
def test_hostile_models_are_rejected_before_they_are_loaded(tmp_path, edit, model, reason):
    folder = Folder(hostile.write(edit, tmp_path / "up", model))
    report = ProbeModel(folder, NotLoaded()).probe(folder.request())
    assert report.state == "REJECTED"
    assert reason in report.reason


def test_a_model_that_loops_is_rejected(tmp_path):
    folder = Folder(hostile.write(hostile.endless_run, tmp_path / "up"))
    request = folder.request(limits=Limits(seconds=4))
    report = ProbeModel(folder, sandbox.SandboxedLoader()).probe(request)
    assert (report.state, report.reason) == ("REJECTED", "did not run within 4 s")


def test_a_graph_over_its_bound_is_not_even_read(upload):
    folder = upload()
    report = ProbeModel(folder, NotLoaded()).probe(folder.request(limits=Limits(max_graph_bytes=9)))
    assert report.state == "REJECTED"
    assert folder.fetched == []


def test_a_file_that_vanished_is_not_final(upload):
    folder = upload()
    request = folder.request()
    (folder.root / SHARD).unlink()
    assert ProbeModel(folder, NotLoaded()).probe(request).state == "INCOMPLETE"


def test_other_bytes_than_the_pinned_ones_are_no_judgement(upload):
    folder = upload()
    request = folder.request()
    data = bytearray((folder.root / SHARD).read_bytes())
    data[0] ^= 1
    (folder.root / SHARD).write_bytes(data)
    with pytest.raises(Unavailable, match="checksum"):
        ProbeModel(folder, NotLoaded()).probe(request)


def test_without_a_private_folder_nothing_is_judged(upload, tmp_path, monkeypatch):
    folder = upload()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="no private folder"):
        ProbeModel(folder, NotLoaded()).probe(folder.request())
    assert folder.fetched == []


def test_what_is_not_of_a_savedmodel_is_neither_read_nor_promoted(upload):
    """A chunked or text twin of saved_model.pb, which a loader might prefer, and warm-up records."""
    folder, loader = upload(), Loads()
    others = ("saved_model.cpb", "saved_model.pbtxt", "assets.extra/tf_serving_warmup_requests")
    for name in others:
        (folder.root / name).parent.mkdir(exist_ok=True)
        (folder.root / name).write_bytes(b"x")
    report = ProbeModel(folder, loader).probe(folder.request())
    assert not {*others} & {*report.files, *folder.fetched, *loader.files}


def test_the_private_copy_is_removed(upload, tmp_path, monkeypatch):
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    folder = upload()
    ProbeModel(folder, Loads()).probe(folder.request())
    assert list(private.iterdir()) == []
