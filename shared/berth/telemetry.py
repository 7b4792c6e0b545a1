"""Logging: one JSON line a pass on stdout, with the field names that Cloud Logging reads."""

import functools
import sys

import structlog


@functools.cache
def configure() -> None:
    """Set structlog up, once per instance."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _severity,
            structlog.processors.EventRenamer("message"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )


def _severity(
    logger: object, method: str, entry: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    entry["severity"] = {"exception": "ERROR", "warn": "WARNING"}.get(method, method.upper())
    return entry
