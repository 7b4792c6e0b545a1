"""Cloud Scheduler's API in the local stack: what the real client asks of it, and nothing else.

The rules are those of https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1.
Targets are topics, schedules are cron lines, and a job's name is given by who makes it.
"""

from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from google.cloud.scheduler_v1 import types
from google.protobuf import empty_pb2

from infra.local.jobs import Jobs, Refused

_SERVICE = "google.cloud.scheduler.v1.CloudScheduler"
_PAGE = 500


def server(jobs: Jobs, port: int) -> grpc.Server:
    """A server on loopback over `jobs`; it still has to be started."""
    made = grpc.server(futures.ThreadPoolExecutor(4, thread_name_prefix="scheduler"))
    made.add_generic_rpc_handlers((_handler(jobs),))
    made.add_insecure_port(f"127.0.0.1:{port}")
    return made


def _handler(jobs: Jobs) -> "grpc.GenericRpcHandler[Any, Any]":
    def listed(request: types.ListJobsRequest) -> types.ListJobsResponse:
        size = min(request.page_size or _PAGE, _PAGE)
        found, following = jobs.page(request.parent, size, request.page_token)
        return types.ListJobsResponse(jobs=found, next_page_token=following)

    def deleted(request: types.DeleteJobRequest) -> empty_pb2.Empty:
        jobs.delete(request.name)
        return empty_pb2.Empty()

    one = types.Job.serialize
    methods = {
        "ListJobs": _method(types.ListJobsRequest, listed, types.ListJobsResponse.serialize),
        "GetJob": _method(types.GetJobRequest, lambda asked: jobs.get(asked.name), one),
        "CreateJob": _method(
            types.CreateJobRequest, lambda asked: jobs.create(asked.parent, asked.job), one
        ),
        "UpdateJob": _method(
            types.UpdateJobRequest,
            lambda asked: jobs.update(asked.job, list(asked.update_mask.paths)),
            one,
        ),
        "PauseJob": _method(types.PauseJobRequest, lambda asked: jobs.pause(asked.name), one),
        "ResumeJob": _method(types.ResumeJobRequest, lambda asked: jobs.resume(asked.name), one),
        "RunJob": _method(types.RunJobRequest, lambda asked: jobs.run(asked.name), one),
        "DeleteJob": _method(types.DeleteJobRequest, deleted, empty_pb2.Empty.SerializeToString),
    }
    return grpc.method_handlers_generic_handler(_SERVICE, methods)


def _method(
    kind: type, act: Callable[[Any], object], serialize: Callable[[Any], bytes]
) -> "grpc.RpcMethodHandler[Any, Any]":
    def answer(request: object, context: grpc.ServicerContext) -> object:
        try:
            return act(request)
        except Refused as error:
            context.abort(error.code, str(error))

    read = kind.deserialize  # type: ignore[attr-defined]  # of every message class of proto-plus
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=read, response_serializer=serialize
    )
