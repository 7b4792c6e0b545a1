"""Calls in a fixed order, so that "dies at its n-th call" means one thing; threads are shown elsewhere."""

from concurrent.futures import Future

import pytest
import structlog

from berth.app import applying, observing, promotion


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


@pytest.fixture(autouse=True, scope="session")
def in_order():
    with pytest.MonkeyPatch.context() as patch:
        for module in (applying, observing, promotion):
            patch.setattr(module, "ThreadPoolExecutor", InOrder)
        yield


@pytest.fixture(autouse=True, scope="session")
def quiet():
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
    yield
    structlog.reset_defaults()


def _drop(logger, method, entry):
    raise structlog.DropEvent
