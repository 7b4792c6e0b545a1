"""Brings Eventarc's own Pub/Sub subscriptions in line with functions/functions.yaml.

Eventarc makes a push subscription for each trigger, with an ack deadline of 10 s, a day of retention
and no dead letters (https://cloud.google.com/eventarc/docs/retry-events), and Terraform does not know
it. `python -m infra.subscriptions PROJECT NUMBER REGION [--dry-run]` sets what Berth needs, adds the grant
that dead-lettering needs, reads everything back and compares again.
"""

import argparse
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from google.api_core import exceptions
from google.cloud import eventarc_v1, pubsub_v1
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf import field_mask_pb2
from google.pubsub_v1 import types

from infra import functions
from infra.functions import BucketTrigger, Function, TopicTrigger

UPLOADS = "uploads-finalized"
SUBSCRIBER = "roles/pubsub.subscriber"
RETENTION = timedelta(days=7)
# Pub/Sub's bounds: https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
_DEADLINES = (10, 600)
_TRIES = 5


class SubscriptionsError(RuntimeError):
    """Subscriptions are missing, or are not as they were just set; the text names every one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the subscription behind one function must be.

    `service` is the function's name in the cloud, `topic` and `dead_letters` are full resource names,
    `ack_deadline` is in seconds, the back-off a pair of durations, `forwarder` the IAM member that
    moves dead letters.
    """

    service: str
    topic: str
    ack_deadline: int
    backoff: tuple[timedelta, timedelta]
    dead_letters: str
    attempts: int
    forwarder: str


@dataclass(frozen=True, slots=True)
class Observed:
    """A trigger's subscription as it is, and who holds roles/pubsub.subscriber on it."""

    service: str
    subscription: types.Subscription
    subscribers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Patch:
    """Set these fields of a subscription; `fields` maps each to "before -> after"."""

    subscription: types.Subscription
    fields: Mapping[str, str]

    def __str__(self) -> str:
        """One line for people."""
        what = ", ".join(f"{name} {change}" for name, change in self.fields.items())
        return f"patch {self.subscription.name}: {what}"


@dataclass(frozen=True, slots=True)
class Grant:
    """Let a member take messages from a subscription."""

    subscription: str
    member: str

    def __str__(self) -> str:
        """One line for people."""
        return f"grant {SUBSCRIBER} on {self.subscription} to {self.member}"


@dataclass(frozen=True, slots=True)
class Clients:
    """Google's clients; tests point them at stand-ins."""

    triggers: eventarc_v1.EventarcClient
    subscriber: pubsub_v1.SubscriberClient


def service(function: Function) -> str:
    """A function's name in the cloud."""
    return f"berth-{function.name.replace('_', '-')}"


def topic_of(function: Function) -> str | None:
    """The short name of the topic that feeds a function; None for HTTP functions."""
    if isinstance(function.trigger, TopicTrigger):
        return function.trigger.topic
    return UPLOADS if isinstance(function.trigger, BucketTrigger) else None


def wanted(table: Mapping[str, Function], project: str, number: str) -> list[Wanted]:
    """What functions.yaml asks for in a project, whose number names Pub/Sub's service agent.

    The ack deadline is the function's timeout in whole seconds, within Pub/Sub's bounds: a push that
    takes longer is delivered a second time.
    """
    found = []
    for function in table.values():
        topic, retry = topic_of(function), function.retry
        if topic is None or retry is None:
            continue
        full = f"projects/{project}/topics/{topic}"
        bounds = (retry.minimum_backoff, retry.maximum_backoff)
        found.append(
            Wanted(
                service=service(function),
                topic=full,
                ack_deadline=min(max(math.ceil(function.timeout), _DEADLINES[0]), _DEADLINES[1]),
                backoff=(timedelta(seconds=bounds[0]), timedelta(seconds=bounds[1])),
                dead_letters=f"{full}-dead",
                attempts=retry.attempts,
                forwarder=f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com",
            )
        )
    return found


def plan(targets: Iterable[Wanted], observed: Iterable[Observed]) -> list[Patch | Grant]:
    """The differences, in order. Pure. Raises SubscriptionsError for what is not there at all."""
    there = list(observed)
    actions: list[Patch | Grant] = []
    problems: list[str] = []
    for target in targets:
        own = [one for one in there if one.service == target.service]
        if not own:
            problems.append(f"{target.service}: Eventarc has no trigger with a subscription for it")
        for one in own:
            if one.subscription.topic != target.topic:
                problems.append(
                    f"{target.service}: {one.subscription.name} reads {one.subscription.topic}, "
                    f"not {target.topic}"
                )
                continue
            actions += _changes(target, one)
    if problems:
        raise SubscriptionsError("; ".join(problems))
    return actions


def _changes(target: Wanted, one: Observed) -> list[Patch | Grant]:
    asked = types.Subscription(
        name=one.subscription.name,
        ack_deadline_seconds=target.ack_deadline,
        message_retention_duration=RETENTION,
        expiration_policy=types.ExpirationPolicy(),
        retry_policy=types.RetryPolicy(
            minimum_backoff=target.backoff[0], maximum_backoff=target.backoff[1]
        ),
        dead_letter_policy=types.DeadLetterPolicy(
            dead_letter_topic=target.dead_letters, max_delivery_attempts=target.attempts
        ),
    )
    before, after = _told(one.subscription), _told(asked)
    fields = {
        name: f"{before[name]} -> {value}" for name, value in after.items() if before[name] != value
    }
    changes: list[Patch | Grant] = [Patch(asked, fields)] if fields else []
    if target.forwarder not in one.subscribers:
        changes.append(Grant(one.subscription.name, target.forwarder))
    return changes


def _told(one: types.Subscription) -> dict[str, str]:
    """The fields Berth sets, as texts that are equal when the fields are."""
    dead, retry = one.dead_letter_policy, one.retry_policy
    backoff = f"{_seconds(retry.minimum_backoff)} to {_seconds(retry.maximum_backoff)}"
    # An absent policy is Pub/Sub's default of 31 days; one without a time to live is "never".
    lasting = "in 31 days"
    if "expiration_policy" in one:
        ttl = one.expiration_policy.ttl
        lasting = f"in {_seconds(ttl)}" if ttl else "never"
    return {
        "ack_deadline_seconds": f"{one.ack_deadline_seconds} s",
        "message_retention_duration": _seconds(one.message_retention_duration),
        "expiration_policy": lasting,
        "retry_policy": backoff if "retry_policy" in one else "none",
        "dead_letter_policy": f"{dead.dead_letter_topic} after {dead.max_delivery_attempts}"
        if "dead_letter_policy" in one
        else "none",
    }


def _seconds(duration: timedelta | None) -> str:
    return f"{duration.total_seconds() if duration else 0:g} s"


def observe(clients: Clients, project: str, region: str) -> list[Observed]:
    """Every trigger of the region that leads to a function, with its subscription."""
    parent = f"projects/{project}/locations/{region}"
    found = []
    for trigger in clients.triggers.list_triggers(parent=parent):
        name = trigger.transport.pubsub.subscription
        leads_to = _destination(trigger)
        if not leads_to or not name:
            continue
        policy = _policy(clients, name)
        bindings = [one for one in policy.bindings if one.role == SUBSCRIBER]
        members = {m for one in bindings if not one.condition.expression for m in one.members}
        subscription = clients.subscriber.get_subscription(subscription=name)
        found.append(Observed(leads_to, subscription, frozenset(members)))
    return found


def _destination(trigger: eventarc_v1.Trigger) -> str:
    """The short name of the function behind a trigger: Cloud Functions fills in either field."""
    full = trigger.destination.cloud_function or trigger.destination.cloud_run.service
    return str(full).rsplit("/", 1)[-1]


def apply(clients: Clients, actions: Iterable[Patch | Grant]) -> None:
    """Carry the plan out; the first failure stops it and a second run does the rest."""
    for action in actions:
        if isinstance(action, Patch):
            clients.subscriber.update_subscription(
                subscription=action.subscription,
                update_mask=field_mask_pb2.FieldMask(paths=list(action.fields)),
            )
        else:
            _grant(clients, action)


def _policy(clients: Clients, resource: str) -> policy_pb2.Policy:
    request = iam_policy_pb2.GetIamPolicyRequest(resource=resource)
    request.options.requested_policy_version = 3
    return clients.subscriber.get_iam_policy(request)


def _grant(clients: Clients, action: Grant) -> None:
    """Read, add, write with the etag that was read; who loses the race reads again."""
    for attempt in range(1, _TRIES + 1):
        policy = _policy(clients, action.subscription)
        policy.bindings.add(role=SUBSCRIBER, members=[action.member])
        try:
            clients.subscriber.set_iam_policy(
                iam_policy_pb2.SetIamPolicyRequest(resource=action.subscription, policy=policy)
            )
        except exceptions.Aborted:
            if attempt == _TRIES:
                raise
        else:
            return


def bring(
    clients: Clients, targets: Sequence[Wanted], project: str, region: str, *, dry_run: bool = False
) -> list[Patch | Grant]:
    """Observe, plan, apply, read back. Returns what was (or, dry, would be) done.

    Raises SubscriptionsError where the second look still finds a difference.
    """
    actions = plan(targets, observe(clients, project, region))
    if actions and not dry_run:
        apply(clients, actions)
        if left := plan(targets, observe(clients, project, region)):
            raise SubscriptionsError("not as they were set: " + "; ".join(map(str, left)))
    return actions


def main() -> None:
    """Print the plan, and carry it out unless --dry-run is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project")
    parser.add_argument("number", help="the project's number")
    parser.add_argument("region")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")
    options = parser.parse_args()
    clients = Clients(eventarc_v1.EventarcClient(), pubsub_v1.SubscriberClient())
    targets = wanted(functions.read(), options.project, options.number)
    actions = bring(clients, targets, options.project, options.region, dry_run=options.dry_run)
    print("\n".join(map(str, actions)) or "subscriptions are up to date")


if __name__ == "__main__":
    main()
