"""Every failure that Berth raises on purpose.

BerthError
├── Terminal              a retry cannot help: logged, counted, published, acknowledged
│   ├── InvalidEvent      the event names nothing that Berth manages
│   ├── InvalidModel      a SavedModel, its name or its serving.yaml breaks a rule
│   └── NotFound          the thing asked for does not exist
└── Retryable             a retry may help: the delivery is refused and comes again
    ├── Conflict          the world moved between observe and apply
    ├── Throttled         the service asks us to slow down
    ├── Unavailable       a service did not answer, or not in time
    ├── Denied            credentials or grants are missing: an operator must act
    └── Damaged           a document of ours does not parse: never read as absent
"""


class BerthError(Exception):
    """Base of all deliberate failures."""


class Terminal(BerthError):
    """No retry can succeed until the input changes."""


class InvalidEvent(Terminal):
    """The event does not name anything that Berth manages."""


class InvalidModel(Terminal):
    """A SavedModel, its name or its serving.yaml breaks a rule."""


class NotFound(Terminal):
    """The thing asked for does not exist."""


class Retryable(BerthError):
    """The same delivery may succeed later."""


class Conflict(Retryable):
    """A precondition failed: what was observed is stale."""


class Throttled(Retryable):
    """The service asks us to slow down."""


class Unavailable(Retryable):
    """A service did not answer, or not in time."""


class Denied(Retryable):
    """Credentials or grants are missing; redelivered, then dead-lettered where an operator sees it."""


class Damaged(Retryable):
    """A document of ours does not parse; it is never read as absent."""
