"""Calls in a fixed order, so that "dies at its n-th call" means one thing; threads are shown elsewhere."""

import importlib
from concurrent.futures import Future
from contextlib import contextmanager
from pkgutil import iter_modules

import pytest
import structlog

import berth.app

EVERY = [importlib.import_module(f"berth.app.{m.name}") for m in iter_modules(berth.app.__path__)]
PARALLEL = [module for module in EVERY if hasattr(module, "ThreadPoolExecutor")]


class InOrder:
    """An executor that does the work where it is asked for."""

    def __init__(self, workers):
        self.workers = workers

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def submit(self, work, *given):
        future = Future()
        try:
            future.set_result(work(*given))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future

    def map(self, work, given):
        return [work(one) for one in given]


@contextmanager
def calls_in_order():
    """Let the use cases call one port after another, always in the same order."""
    with pytest.MonkeyPatch.context() as patch:
        for module in PARALLEL:
            patch.setattr(module, "ThreadPoolExecutor", InOrder)
        yield


@contextmanager
def no_log():
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def in_order():
    with calls_in_order():
        yield


@pytest.fixture(autouse=True, scope="session")
def quiet():
    with no_log():
        yield


def _drop(logger, method, entry):
    raise structlog.DropEvent
