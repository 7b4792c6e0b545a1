"""Simulated time: processes interleave, parallel calls last as long as the longest, work queues for places."""

import pytest

from tests.simulation.kernel import Kernel, Pool, Process, ProcessClock, Slots


def test_processes_take_turns_in_the_order_of_time():
    kernel, said = Kernel(), []

    def sleeper(name, seconds):
        def run(process):
            for _ in range(2):
                ProcessClock(process).sleep(seconds)
                said.append((name, kernel.now))

        return run

    kernel.at(0, Process(kernel, sleeper("slow", 3.0)).start)
    kernel.at(0, Process(kernel, sleeper("quick", 2.0)).start)
    kernel.run(100)
    assert said == [("quick", 2.0), ("slow", 3.0), ("quick", 4.0), ("slow", 6.0)]
    assert kernel.now == 100


def test_calls_given_to_a_pool_last_as_long_as_the_longest():
    kernel, ends = Kernel(), []

    def run(process):
        with Pool(4) as pool:
            assert list(pool.map(process.lasts, [1.0, 5.0, 2.0])) == [None] * 3
        process.lasts(0.5)
        ends.append(kernel.now)

    kernel.at(10, Process(kernel, run).start)
    kernel.run(100)
    assert ends == [15.5]


def test_a_pool_tells_a_failure_where_the_result_is_asked_for():
    kernel, seen = Kernel(), []

    def run(process):
        failed = Pool().submit(lambda: [][0])
        with pytest.raises(IndexError):
            failed.result()
        seen.append(process.noting)

    kernel.at(0, Process(kernel, run).start)
    kernel.run(1)
    assert seen == [0]


def test_what_a_process_raises_ends_the_simulation():
    kernel = Kernel()
    kernel.at(0, Process(kernel, lambda process: {}["missing"]).start)
    with pytest.raises(KeyError):
        kernel.run(1)


def test_work_waits_for_a_free_place():
    slots = Slots(2)
    assert [slots.book(0.0, 3.0), slots.book(0.0, 1.0), slots.book(0.0, 1.0)] == [3.0, 1.0, 2.0]
    assert slots.book(10.0, 1.0) == 11.0
