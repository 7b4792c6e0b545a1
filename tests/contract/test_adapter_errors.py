"""Every failure that a vendor's client can raise has a row in its adapter's table."""

import google.auth.exceptions
import grpc
import pytest
import requests
import urllib3
from google.api_core import exceptions
from kubernetes.client import exceptions as kubernetes_exceptions

from berth.adapters import google_errors, kubernetes, tfserving
from berth.domain import errors


def below(*roots):
    """All classes under some classes, themselves included."""
    found, todo = set(), list(roots)
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += one.__subclasses__()
    return sorted(found, key=lambda one: f"{one.__module__}.{one.__qualname__}")


GOOGLE = below(
    exceptions.GoogleAPIError,
    google.auth.exceptions.GoogleAuthError,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
)


def bare(vendor):
    """An instance that no constructor made: only its class counts."""
    facts = {"_cause": None, "status": None, "reason": "", "body": None}
    facts |= {"__init__": lambda self: None, "__str__": lambda self: "text"}
    return type(vendor.__name__, (vendor,), facts)()


@pytest.mark.parametrize("vendor", GOOGLE, ids=lambda one: one.__qualname__)
def test_google_errors_are_all_in_the_table(vendor):
    found = google_errors.translate(bare(vendor))
    assert found is not None
    assert issubclass(found, errors.BerthError)


@pytest.mark.parametrize(
    ("vendor", "ours"),
    [
        (exceptions.PreconditionFailed("x"), errors.Conflict),
        (exceptions.NotFound("x"), errors.NotFound),
        (exceptions.TooManyRequests("x"), errors.Throttled),
        (exceptions.ResourceExhausted("x"), errors.Throttled),
        (exceptions.Forbidden("x"), errors.Denied),
        (exceptions.Unauthenticated("x"), errors.Denied),
        (exceptions.BadRequest("x"), errors.Retryable),
        (exceptions.ServiceUnavailable("x"), errors.Unavailable),
        (exceptions.DeadlineExceeded("x"), errors.Unavailable),
        (exceptions.Cancelled("x"), errors.Unavailable),
        (exceptions.RetryError("x", exceptions.TooManyRequests("x")), errors.Throttled),
        (exceptions.RetryError("x", requests.ConnectionError("x")), errors.Unavailable),
        (exceptions.RetryError("x", None), errors.Unavailable),
        (requests.ConnectionError("x"), errors.Unavailable),
        (requests.ReadTimeout("x"), errors.Unavailable),
        (google.auth.exceptions.DefaultCredentialsError("x"), errors.Denied),
        (google.auth.exceptions.RefreshError("x"), errors.Denied),
        (google.auth.exceptions.RefreshError("x", retryable=True), errors.Unavailable),
        (google.auth.exceptions.TransportError("x"), errors.Unavailable),
    ],
    ids=lambda one: one.__qualname__ if isinstance(one, type) else type(one).__qualname__,
)
def test_google_errors_have_their_meaning(vendor, ours):
    with pytest.raises(errors.BerthError) as caught, google_errors.translated("call"):
        raise vendor
    assert caught.type is ours
    assert caught.value.__cause__ is vendor
    assert str(caught.value).startswith("call: ")


def test_a_metadata_server_that_does_not_answer_has_refused_nothing():
    with pytest.raises(errors.Unavailable), google_errors.translated("call"):
        raise google.auth.exceptions.RefreshError("x") from google.auth.exceptions.TransportError()


def test_what_is_no_failure_of_the_vendor_passes():
    with pytest.raises(KeyError), google_errors.translated("call"):
        raise KeyError("a bug")


@pytest.mark.parametrize(
    "vendor",
    below(kubernetes_exceptions.OpenApiException, urllib3.exceptions.HTTPError),
    ids=lambda one: one.__qualname__,
)
def test_kubernetes_errors_are_all_translated(vendor):
    with pytest.raises(errors.Unavailable), kubernetes.translated("call"):
        raise bare(vendor)


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        (400, errors.Retryable),
        (401, errors.Denied),
        (403, errors.Denied),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (422, errors.Retryable),
        (429, errors.Throttled),
        (500, errors.Unavailable),
        (504, errors.Unavailable),
        (302, errors.Unavailable),
    ],
)
def test_kubernetes_refusals_have_their_meaning(status, ours):
    with pytest.raises(errors.BerthError) as caught, kubernetes.translated("call"):
        raise kubernetes_exceptions.ApiException(status=status, reason="x")
    assert caught.type is ours


@pytest.mark.parametrize("code", list(grpc.StatusCode), ids=lambda one: one.name)
def test_each_grpc_code_of_a_reload_is_an_answer_or_unknown(code):
    said = {"UNKNOWN", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"}
    said |= {"ABORTED", "OUT_OF_RANGE", "INTERNAL", "DATA_LOSS"}
    unseen = {"OK", "CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE", "UNIMPLEMENTED"}
    unseen |= {"PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED"}
    assert (code.name in said) != (code.name in unseen)
    assert (code in tfserving.ANSWERS) == (code.name in said)
