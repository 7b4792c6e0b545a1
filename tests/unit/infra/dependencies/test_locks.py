"""Locks are read strictly: a package without a version and the hashes of its files is no lock."""

import pytest

from infra.dependencies import locks

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
GOOD = f"# by make lock\na==1.0 \\\n    --hash={ONE} \\\n    --hash={TWO}\nb-c==2 \\\n    --hash={TWO}\n"


def lock(tmp_path, text):
    path = tmp_path / "requirements.lock"
    path.write_text(text)
    return path


def test_a_lock_gives_versions_and_hashes_by_name(tmp_path):
    assert locks.read(lock(tmp_path, GOOD)) == {
        "a": locks.Pin("a", "1.0", frozenset({ONE, TWO})),
        "b-c": locks.Pin("b-c", "2", frozenset({TWO})),
    }


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "a>=1",
        "a==1",
        "a @ https://example.com/a.whl",
        "--index-url https://example.com",
        "-r other.txt",
        f"    --hash=sha1:{'1' * 40}",
        "",
    ],
)
def test_a_line_of_any_other_kind_is_refused_by_its_number(tmp_path, line):
    with pytest.raises(locks.LockError, match=r"requirements\.lock:7: neither a pin nor a hash"):
        locks.read(lock(tmp_path, GOOD + line + "\n"))


def test_a_pin_without_a_hash_is_named(tmp_path):
    with pytest.raises(locks.LockError, match="no hash: d"):
        locks.read(lock(tmp_path, GOOD + "d==1 \\\n"))


def test_a_hash_of_no_package_is_refused(tmp_path):
    with pytest.raises(locks.LockError, match="lock:1: neither"):
        locks.read(lock(tmp_path, f"    --hash={ONE}\n"))
