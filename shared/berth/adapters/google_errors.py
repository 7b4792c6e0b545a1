"""Google API failures in Berth's words: the one table of the Cloud Storage and Pub/Sub adapters."""

from collections.abc import Iterator
from contextlib import contextmanager

import google.auth.exceptions
import requests
import urllib3
from google.api_core import exceptions

from berth.domain import errors

# The first row that fits counts, so the most specific comes first.
TABLE: tuple[tuple[type[BaseException], type[errors.BerthError]], ...] = (
    (exceptions.NotFound, errors.NotFound),
    (exceptions.PreconditionFailed, errors.Conflict),
    (exceptions.Conflict, errors.Conflict),
    (exceptions.TooManyRequests, errors.Throttled),
    (exceptions.Unauthorized, errors.Denied),
    (exceptions.Forbidden, errors.Denied),
    (exceptions.Cancelled, errors.Unavailable),
    # The rest of 4xx: the service refuses what we ask. A bug or a missing API; an operator sees it
    # among the dead letters.
    (exceptions.ClientError, errors.Retryable),
    (exceptions.GoogleAPIError, errors.Unavailable),
    (google.auth.exceptions.TransportError, errors.Unavailable),
    (google.auth.exceptions.GoogleAuthError, errors.Denied),
    (requests.exceptions.RequestException, errors.Unavailable),
    (urllib3.exceptions.HTTPError, errors.Unavailable),
)
TRANSLATED = tuple(vendor for vendor, _ in TABLE)


def translate(error: BaseException) -> type[errors.BerthError] | None:
    """Return Berth's class for a vendor's error, None when it is not in the table."""
    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        return translate(_refusal(error.cause)) or errors.Unavailable
    if isinstance(error, google.auth.exceptions.RefreshError) and _did_not_answer(error):
        return errors.Unavailable
    return next((ours for vendor, ours in TABLE if isinstance(error, vendor)), None)


def _did_not_answer(error: google.auth.exceptions.RefreshError) -> bool:
    """Whether nobody refused: the metadata server was silent, or asks to be asked again."""
    if getattr(error, "retryable", False):
        return True
    cause = error.__cause__
    silent = isinstance(cause, google.auth.exceptions.TransportError)
    # A refusal is a TransportError too, and carries the answer.
    return silent and not any(400 <= getattr(one, "status", 0) < 500 for one in cause.args)


def _refusal(error: BaseException) -> BaseException:
    """Return what the service said, out of the SDK's own exception for an unexpected status."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return error if status is None else exceptions.from_http_status(status, str(error))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise Berth's error for whatever the SDK raises inside; `what` names the call in it."""
    try:
        yield
    except TRANSLATED as error:
        # Only the first line: bodies may be long and hold what should not be logged.
        text = str(error).partition("\n")[0][:300]
        raise (translate(error) or errors.Unavailable)(f"{what}: {text}") from error
