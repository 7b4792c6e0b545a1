"""A look is shared by those who asked before it began, and by nobody who asked later."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from berth.app.sharing import Shared


class Door:
    """A lock that knows when so many have come to it."""

    def __init__(self, wanted):
        self.lock = threading.Lock()
        self.left = threading.Semaphore(0)
        self.wanted = wanted

    def __enter__(self):
        self.left.release()
        self.lock.acquire()

    def __exit__(self, *error):
        self.lock.release()

    def all_came(self):
        for _ in range(self.wanted):
            assert self.left.acquire(timeout=10)


def test_a_burst_during_one_look_shares_the_next():
    begun, go = threading.Event(), threading.Event()
    looks = []

    def look():
        looks.append(len(looks) + 1)
        number = looks[-1]
        begun.set()
        assert go.wait(10)
        return number

    shared = Shared(look)
    shared._lock = door = Door(9)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared)
        assert begun.wait(10)
        burst = [pool.submit(shared) for _ in range(8)]
        door.all_came()
        go.set()
        assert first.result(10) == 1
        assert {one.result(10) for one in burst} == {2}
    assert looks == [1, 2]


def test_who_asks_later_gets_a_new_look():
    numbers = iter(range(10))
    shared = Shared(lambda: next(numbers))
    assert [shared(), shared()] == [0, 1]


def test_a_look_that_fails_is_told_and_the_next_one_looks_again():
    answers = iter([ZeroDivisionError(), 7])

    def look():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = Shared(look)
    with pytest.raises(ZeroDivisionError):
        shared()
    assert shared() == 7
