"""A small stand-in for the Google Cloud APIs that have no emulator, spoken to by the real clients.

A real gRPC server answers Eventarc's triggers, IAM policies (with etags) and Cloud Scheduler's jobs;
Pub/Sub itself it passes on, byte for byte, to Google's emulator. The emulator knows no expiration
policy and no IAM: those two are kept here.
"""

import itertools
import threading
from concurrent import futures

import grpc
from google.cloud import eventarc_v1, scheduler_v1
from google.cloud.eventarc_v1.services.eventarc.transports import EventarcGrpcTransport
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import (
    CloudSchedulerGrpcTransport,
)
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

IAM = "/google.iam.v1.IAMPolicy/"
EVENTARC = "/google.cloud.eventarc.v1.Eventarc/"
SCHEDULER = "/google.cloud.scheduler.v1.CloudScheduler/"
PUBSUB = "/google.pubsub.v1."
_EMPTY = b""


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, code, details):
        super().__init__(details)
        self.code, self.details = code, details


class GoogleApis(grpc.GenericRpcHandler):
    """The server; `calls` lists the methods asked for, in order, `policies` what IAM holds."""

    def __init__(self, pubsub="127.0.0.1:1"):
        self.calls, self.triggers, self.policies, self.jobs = [], [], {}, {}
        self.before_set_policy = lambda resource: None
        self.find_triggers = lambda: self.triggers
        self._expirations, self._etags = {}, itertools.count(1)
        self._lock = threading.Lock()
        self._upstream = grpc.insecure_channel(pubsub)
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.address = f"127.0.0.1:{port}"
        self.channel = grpc.insecure_channel(self.address)

    def close(self):
        self.channel.close()
        self._server.stop(None).wait()
        self._upstream.close()

    def eventarc(self):
        return eventarc_v1.EventarcClient(transport=EventarcGrpcTransport(channel=self.channel))

    def scheduler(self):
        transport = CloudSchedulerGrpcTransport(channel=self.channel)
        return scheduler_v1.CloudSchedulerClient(transport=transport)

    def subscriber(self):
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=self.channel))

    def publisher(self):
        return PublisherClient(transport=PublisherGrpcTransport(channel=self.channel))

    def writes(self):
        """The calls that changed something."""
        read = ("Get", "List")
        return [one for one in self.calls if not one.rsplit("/", 1)[1].startswith(read)]

    def service(self, details):
        """Find the handler of a method."""

        def answer(request, context):
            with self._lock:
                self.calls.append(details.method)
            try:
                return self._answer(details.method, request)
            except Refused as error:
                context.abort(error.code, error.details)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        return grpc.unary_unary_rpc_method_handler(answer)

    def _answer(self, method, request):
        if method.startswith(IAM):
            with self._lock:
                return self._iam(method.removeprefix(IAM), request)
        if method == f"{EVENTARC}ListTriggers":
            return self._list_triggers(request)
        if method.startswith(SCHEDULER):
            with self._lock:
                return self._scheduler(method.removeprefix(SCHEDULER), request)
        if method.startswith(PUBSUB):
            return self._pubsub(method, request)
        raise Refused(grpc.StatusCode.UNIMPLEMENTED, method)

    def _list_triggers(self, request):
        """Two on a page, so that whoever reads one page alone is caught."""
        asked = eventarc_v1.ListTriggersRequest.deserialize(request)
        found = [one for one in self.find_triggers() if one.name.startswith(f"{asked.parent}/")]
        start = int(asked.page_token or 0)
        more = str(start + 2) if len(found) > start + 2 else ""
        page = eventarc_v1.ListTriggersResponse(
            triggers=found[start : start + 2], next_page_token=more
        )
        return eventarc_v1.ListTriggersResponse.serialize(page)

    def _iam(self, verb, request):
        if verb == "GetIamPolicy":
            asked = iam_policy_pb2.GetIamPolicyRequest.FromString(request)
            return self._policy(asked.resource).SerializeToString()
        if verb != "SetIamPolicy":
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, verb)
        asked = iam_policy_pb2.SetIamPolicyRequest.FromString(request)
        self.before_set_policy(asked.resource)
        current = self._policy(asked.resource)
        if asked.policy.etag and asked.policy.etag != current.etag:
            raise Refused(grpc.StatusCode.ABORTED, "There were concurrent policy changes.")
        self.put_policy(asked.resource, asked.policy)
        return self._policy(asked.resource).SerializeToString()

    def _policy(self, resource):
        return self.policies.get(resource) or policy_pb2.Policy(etag=b"ACAB")

    def put_policy(self, resource, policy):
        """Store a policy as IAM does: bindings of one role and condition merged, a new etag."""
        merged = {}
        for one in policy.bindings:
            members = merged.setdefault((one.role, one.condition.expression), [])
            members += [member for member in one.members if member not in members]
        kept = policy_pb2.Policy(version=policy.version, etag=b"etag-%d" % next(self._etags))
        for (role, condition), members in merged.items():
            binding = kept.bindings.add(role=role, members=members)
            if condition:
                binding.condition.expression = condition
        self.policies[resource] = kept

    def _scheduler(self, verb, request):
        if verb == "ListJobs":
            asked = scheduler_v1.ListJobsRequest.deserialize(request)
            jobs = [job for name, job in self.jobs.items() if name.startswith(f"{asked.parent}/")]
            return scheduler_v1.ListJobsResponse.serialize(scheduler_v1.ListJobsResponse(jobs=jobs))
        if verb == "CreateJob":
            asked = scheduler_v1.CreateJobRequest.deserialize(request)
            asked.job.state = scheduler_v1.Job.State.ENABLED
            return self._put_job(asked.job)
        if verb == "UpdateJob":
            job = scheduler_v1.UpdateJobRequest.deserialize(request).job
            job.state = self._job(job.name).state
            return self._put_job(job)
        name = scheduler_v1.GetJobRequest.deserialize(request).name  # field 1 of all that are left
        job = self._job(name)
        if verb == "DeleteJob":
            del self.jobs[name]
            return _EMPTY
        states = {"PauseJob": "PAUSED", "ResumeJob": "ENABLED"}
        if verb in states:
            job.state = scheduler_v1.Job.State[states[verb]]
        return self._put_job(job)

    def _job(self, name):
        if name not in self.jobs:
            raise Refused(grpc.StatusCode.NOT_FOUND, "Job not found.")
        return self.jobs[name]

    def _put_job(self, job):
        self.jobs[job.name] = job
        return scheduler_v1.Job.serialize(job)

    def _pubsub(self, method, request):
        if method.endswith("/UpdateSubscription"):
            return self._update_subscription(method, request)
        answer = self._forward(method, request)
        return self._with_expiration(answer) if method.endswith("/GetSubscription") else answer

    def _update_subscription(self, method, request):
        asked = types.UpdateSubscriptionRequest.deserialize(request)
        paths = list(asked.update_mask.paths)
        if "expiration_policy" in paths:
            self._expirations[asked.subscription.name] = asked.subscription.expiration_policy
            paths.remove("expiration_policy")
            del asked.subscription.expiration_policy
        if not paths:
            name = types.GetSubscriptionRequest(subscription=asked.subscription.name)
            method = method.replace("Update", "Get")
            return self._pubsub(method, types.GetSubscriptionRequest.serialize(name))
        asked.update_mask.paths[:] = paths
        return self._with_expiration(
            self._forward(method, types.UpdateSubscriptionRequest.serialize(asked))
        )

    def _with_expiration(self, answer):
        one = types.Subscription.deserialize(answer)
        if one.name in self._expirations:
            one.expiration_policy = self._expirations[one.name]
        return types.Subscription.serialize(one)

    def _forward(self, method, request):
        return self._upstream.unary_unary(method)(request, timeout=30)


def trigger(project, region, function, topic, *, by="cloud_function"):
    """A trigger as Cloud Functions makes it, and the name of its subscription."""
    parent = f"projects/{project}/locations/{region}"
    name = f"{function}-310177"
    subscription = f"projects/{project}/subscriptions/eventarc-{region}-{name}-sub-713"
    destination = (
        eventarc_v1.Destination(cloud_function=f"{parent}/functions/{function}")
        if by == "cloud_function"
        else eventarc_v1.Destination(
            cloud_run=eventarc_v1.CloudRun(service=function, region=region)
        )
    )
    return eventarc_v1.Trigger(
        name=f"{parent}/triggers/{name}",
        destination=destination,
        transport=eventarc_v1.Transport(
            pubsub=eventarc_v1.Pubsub(
                topic=f"projects/{project}/topics/{topic}", subscription=subscription
            )
        ),
    )


def subscribe(apis, one):
    """The subscription that Eventarc makes for a trigger, with Eventarc's settings."""
    asked = types.Subscription(
        name=one.transport.pubsub.subscription,
        topic=one.transport.pubsub.topic,
        push_config=types.PushConfig(
            push_endpoint="https://example.run.app?__GCP_CloudEventsMode="
        ),
        ack_deadline_seconds=10,
        message_retention_duration={"seconds": 86400},
        retry_policy=types.RetryPolicy(
            minimum_backoff={"seconds": 10}, maximum_backoff={"seconds": 600}
        ),
    )
    return apis.subscriber().create_subscription(request=asked)
