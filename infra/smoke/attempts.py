"""What every identity must be able to do, and must not, worked out from infra/grants.yaml.

An attempt changes nothing, whatever its outcome: a creation carries a precondition that no object
fulfils, a removal names an object that is not there. Cloud Storage refuses whoever may not (403)
before it looks at either (412, 404).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from infra.grants import Bucket, Grants, Reading

_BUCKETS: tuple[Bucket, ...] = ("uploads", "models", "control")
# A name that no grant covers but "*", in every bucket.
_ELSEWHERE = "{mark}/elsewhere"
GET, LIST = "storage.objects.get", "storage.objects.list"
CREATE, DELETE = "storage.objects.create", "storage.objects.delete"
PERMISSIONS = (GET, LIST, CREATE, DELETE)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that one identity tries on one object; `name` is empty for a listing."""

    who: str
    permission: str
    bucket: str
    name: str
    allowed: bool

    def __str__(self) -> str:
        """For people."""
        verb = self.permission.rsplit(".", 1)[1]
        must = "must" if self.allowed else "must not"
        return f"{self.who} {must} {verb} {self.bucket}/{self.name}"


def samples(grants: Grants, bucket: Bucket, mark: str) -> list[str]:
    """Names of objects in a bucket: one for every pattern of any grant there, and one for none.

    `mark` makes them names of this run's own.
    """
    own: list[Reading | None] = [row.buckets.get(bucket) for row in grants.functions.values()]
    own.append(grants.serving.buckets.get(bucket))
    patterns = {
        pattern
        for access in own
        if access is not None
        for objects in access.objects().values()
        for pattern in objects
        if pattern != "*"
    }
    return sorted({_sample(one, mark) for one in patterns} | {_ELSEWHERE.format(mark=mark)})


def _sample(pattern: str, mark: str) -> str:
    if pattern.startswith("*"):
        return f"{mark}/object{pattern.removeprefix('*')}"
    filled = pattern.replace("*", mark)
    # Never the name of an object that is there: a removal may be allowed.
    return filled if mark in filled and not filled.endswith("/") else f"{filled}{mark}"


def attempts(grants: Grants, names: Iterable[str], mark: str) -> Iterator[Attempt]:
    """Every attempt of the functions named, allowed or not."""
    for function in names:
        for bucket in _BUCKETS:
            access = grants.of(function).buckets.get(bucket)
            yield from _attempts(grants, function, bucket, access, mark)


def serving(grants: Grants, mark: str) -> Iterator[Attempt]:
    """Every attempt of the serving pods, allowed or not."""
    for bucket in _BUCKETS:
        access = grants.serving.buckets.get(bucket)
        yield from _attempts(grants, "serving pods", bucket, access, mark)


def _attempts(
    grants: Grants, who: str, bucket: Bucket, access: Reading | None, mark: str
) -> Iterator[Attempt]:
    def allowed(permission: str, name: str) -> bool:
        return bool(access and access.using(permission, name))

    yield Attempt(who, LIST, bucket, "", allowed(LIST, "anything"))
    for name in samples(grants, bucket, mark):
        for permission in (GET, CREATE, DELETE):
            yield Attempt(who, permission, bucket, name, allowed(permission, name))


def request(attempt: Attempt, bucket: str) -> tuple[str, str, dict[str, str]]:
    """The HTTP request that makes an attempt: method, path below storage.googleapis.com, parameters."""
    listing = f"/storage/v1/b/{bucket}/o"
    if attempt.permission == LIST:
        return "GET", listing, {"maxResults": "1"}
    if attempt.permission == CREATE:
        asked = {"uploadType": "media", "name": attempt.name, "ifGenerationMatch": "1"}
        return "POST", f"/upload{listing}", asked
    path = f"{listing}/{attempt.name.replace('/', '%2F')}"
    return ("GET" if attempt.permission == GET else "DELETE"), path, {}


def verdict(attempt: Attempt, status: int) -> str:
    """What is wrong with an answer; "" when it is as it must be."""
    if status == 403:
        return f"{attempt}: refused" if attempt.allowed else ""
    if status in (200, 404, 412):
        return "" if attempt.allowed else f"{attempt}: allowed ({status})"
    return f"{attempt}: answered with {status}"
