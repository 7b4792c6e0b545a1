"""IAM: what each identity can do, and cannot, by really trying it in its name."""

from concurrent.futures import ThreadPoolExecutor

import requests

from infra import functions, grants, subscriptions
from infra.smoke import attempts
from infra.smoke.attempts import Attempt
from infra.smoke.check import Check, Disproved
from infra.smoke.target import Target

# None of these may be anybody's on the project as a whole.
_WIDE = (
    *("storage.buckets.list", "storage.objects.get", "storage.objects.create"),
    *("pubsub.topics.publish", "pubsub.subscriptions.consume", "run.services.setIamPolicy"),
    *(
        "iam.serviceAccounts.actAs",
        "container.clusters.get",
        "resourcemanager.projects.setIamPolicy",
    ),
)


def objects(target: Target) -> str:
    """Every identity tries every verb on a name of every kind, in every bucket."""
    table = grants.read()
    tried = list(attempts.attempts(table, functions.read(), target.name))
    with ThreadPoolExecutor(8) as pool:
        found = [text for text in pool.map(_Tries(target), tried) if text]
    if found:
        raise Disproved("; ".join(found))
    return f"{len(tried)} attempts, {sum(one.allowed for one in tried)} of them allowed"


class _Tries:
    """Makes an attempt and judges the answer; one token an identity."""

    def __init__(self, target: Target) -> None:
        self._target = target
        identities = {name: one.identity for name, one in functions.read().items()}
        self._sessions = {name: target.acting_as(one) for name, one in identities.items()}

    def __call__(self, attempt: Attempt) -> str:
        bucket = self._target.site.bucket(attempt.bucket)
        method, path, parameters = attempts.request(attempt, bucket)
        url = f"https://storage.googleapis.com{path}"
        session = self._sessions[attempt.who]
        answer = session.request(method, url, params=parameters, timeout=60)
        return attempts.verdict(attempt, answer.status_code)


def topics(target: Target) -> str:
    """Each identity is asked for its right to publish on each topic, and on the project for rights."""
    table, own = grants.read(), functions.read()
    names = {one.topic.rsplit("/", 1)[1] for one in subscriptions.wanted(own, target.project, "")}
    names |= {"model-events"} | {f"{name}-dead" for name in names}
    wrong = []
    for function, row in own.items():
        session = target.acting_as(row.identity)
        for topic in sorted(names):
            url = f"https://pubsub.googleapis.com/v1/projects/{target.project}/topics/{topic}"
            may = _has(session, url, ("pubsub.topics.publish",))
            if bool(may) != (topic in table.of(function).publish):
                wrong.append(f"{function} {'may' if may else 'may not'} publish on {topic}")
        url = f"{target.site.google.projects_api}/projects/{target.project}"
        wrong += [f"{function} has {one} on the project" for one in _has(session, url, _WIDE)]
    if wrong:
        raise Disproved("; ".join(wrong))
    return f"{len(own)} identities, {len(names)} topics, {len(_WIDE)} rights on the project"


def _has(session: requests.Session, url: str, asked: tuple[str, ...]) -> list[str]:
    answer = session.post(f"{url}:testIamPermissions", json={"permissions": asked}, timeout=60)
    if answer.status_code == 403:
        return []
    if not answer.ok:
        raise Disproved(f"{url}: {answer.status_code} {answer.text[:200]}")
    return list(answer.json().get("permissions", ()))


def callers(target: Target) -> str:
    """Each identity calls each HTTP function; nobody calls without a name."""
    table, own = grants.read(), functions.read()
    called = [name for name, one in own.items() if one.is_http]
    wrong, count = [], 0
    for callee in called:
        uri = target.uri(subscriptions.service(own[callee]))
        if (status := requests.get(uri, timeout=60).status_code) != 403:
            wrong.append(f"anybody may call {callee} ({status})")
        for caller, row in own.items():
            token = target.caller(row.identity, uri)
            answer = requests.get(uri, headers={"Authorization": f"Bearer {token}"}, timeout=120)
            may, must = answer.status_code != 403, callee in table.of(caller).call
            count += 1
            if may != must:
                wrong.append(f"{caller} {'may' if may else 'may not'} call {callee}")
    if wrong:
        raise Disproved("; ".join(wrong))
    return f"{count} callers tried {', '.join(called)}"


CHECKS = (
    Check(
        "iam-objects",
        "Every function's identity can do with objects what infra/grants.yaml says, and nothing else: "
        "the IAM conditions mean what they are meant to.",
        "No emulator evaluates IAM conditions.",
        objects,
    ),
    Check(
        "iam-topics",
        "Every function's identity publishes on its topics alone, and has no right on the project.",
        "No emulator evaluates IAM.",
        topics,
    ),
    Check(
        "iam-callers",
        "The judge is called by admit_model alone, the status by those who are named, and no function "
        "by a caller without a name.",
        "Cloud Run's front end checks the caller; locally there is none.",
        callers,
    ),
)
