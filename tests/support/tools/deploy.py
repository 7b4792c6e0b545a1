"""`python -m infra.deploy` of a checkout, with Google's clients pointed at the stand-ins.

GOOGLE_STAND_IN is the HTTP one, GRPC_STAND_IN the gRPC one. STOP_AFTER names a step after which the
process is interrupted, as by Ctrl-C.
"""

import os
import sys
from dataclasses import replace

import grpc
from google.cloud import eventarc_v1, scheduler_v1
from google.cloud.eventarc_v1.services.eventarc.transports import EventarcGrpcTransport
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import (
    CloudSchedulerGrpcTransport,
)
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra import subscriptions
from infra.deploy import __main__ as command
from infra.deploy import commands
from infra.deploy.site import Google


class StandIn(Google):
    """Google's clients, each real, at other addresses."""

    projects_api = f"{os.environ['GOOGLE_STAND_IN']}/v1"
    billing_api = projects_api
    regions_url = f"{os.environ['GOOGLE_STAND_IN']}/regions"

    @property
    def _channel(self):
        return grpc.insecure_channel(os.environ["GRPC_STAND_IN"])

    @property
    def subscriptions(self):
        return subscriptions.Clients(
            eventarc_v1.EventarcClient(transport=EventarcGrpcTransport(channel=self._channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel)),
        )

    @property
    def scheduler(self):
        transport = CloudSchedulerGrpcTransport(channel=self._channel)
        return scheduler_v1.CloudSchedulerClient(transport=transport)


def stopped_after(step):
    def do(site):
        did = step.do(site)
        print(f"{step.name:<17} {did}, and interrupted", flush=True)
        raise KeyboardInterrupt

    return replace(step, do=do)


if __name__ == "__main__":
    command.Google = StandIn
    stop = os.environ.get("STOP_AFTER")
    commands.STEPS = tuple(
        stopped_after(one) if one.name == stop else one for one in commands.STEPS
    )
    sys.exit(command.main())
