"""Loading: the tick, inline loads, retries, availability kept, and the requests that delay it all."""

import threading
import time

from tests.contract.tfserving.conftest import put
from tests.support import models
from tests.support.model_server import AVAILABLE, GONE, Version, always, config, eventually, refused

HALF = models.model("half_plus_two")
LOADING = Version("LOADING")
LATEST_TWO = "model_version_policy { latest { num_versions: 2 } }"


def spoil(base, version):
    put(base, version, "half_plus_two")
    (base / str(version) / "saved_model.pb").write_bytes(b"")


def test_one_load_a_tick_however_many_threads(empty):
    """Twelve models are found at once, and the last load begins eleven ticks after the first."""
    new = config(*((f"tick{index}", HALF) for index in range(12)))
    waiting = empty.reload_in_background(new)
    eventually(lambda: empty.versions("tick0"))
    started = time.monotonic()
    waiting.join()
    assert waiting.error is None
    assert time.monotonic() - started >= 1


def test_load_threads_let_others_load_and_removal_ends_the_retries(start, model):
    listed = [(name, model(name, {1: "half_plus_two"})) for name in ("spoilt", "repaired")]
    server = start(
        models=config(*listed),
        num_load_threads=3,
        max_num_load_retries=30,
        load_retry_interval_micros=2_000_000,
    ).ready()
    for _, base in listed:
        spoil(base, 2)
    server.wait_for("repaired", 2, LOADING)
    server.wait_for("spoilt", 2, LOADING)
    server.reload(config(*listed, ("other", HALF)))
    assert server.versions("other") == {1: AVAILABLE}
    assert server.versions("spoilt")[2] == server.versions("repaired")[2] == LOADING
    # Repaired and removed before the next attempt: it loads what nobody wants any more.
    good = (HALF / "1" / "saved_model.pb").read_bytes()
    (listed[1][1] / "2" / "saved_model.pb").write_bytes(good)
    server.reload(config())
    server.wait_for("repaired", 2, Version("END", 1, "Loading of servable cancelled"))
    eventually(lambda: server.versions("spoilt")[2].code == 5, 5)


def test_inline_loads_and_the_blind_spot_of_retries(start, model):
    """By default a load that is being retried holds up everything, and looks like LOADING and OK."""
    base, other = model("retried", {1: "half_plus_two"}), model("other", {1: "half_plus_two"})
    server = start(
        models=config(("retried", base), ("other", other)),
        max_num_load_retries=1,
        load_retry_interval_micros=2_500_000,
    ).ready()
    spoil(base, 2)
    server.wait_for("retried", 2, LOADING)
    put(other, 2, "half_plus_three")
    removal = server.reload_in_background(config(("retried", base)))
    always(lambda: server.versions("retried")[2] == LOADING, 1)
    assert not removal.is_alive()
    assert server.versions("other") == {1: AVAILABLE}
    eventually(lambda: server.versions("retried")[2].state == "END")
    server.wait_for("other", 1, GONE)
    # The old version stays, and so it is the one that answers.
    assert server.versions("retried")[1] == AVAILABLE
    assert server.predict("retried", {"instances": [2]}).json() == {"predictions": [3.0]}


def test_what_is_loaded_or_failed_is_never_loaded_again_until_it_is_taken_away(empty, model):
    loaded, failed = model("kept", {1: "half_plus_two"}), model("failed", {1: "half_plus_two"})
    spoil(failed, 2)
    new = config(("kept", loaded), ("failed", failed, LATEST_TWO))
    assert refused(empty.reload, new)[0] == "UNKNOWN"
    before = empty.versions("failed")
    assert (before[2].state, before[2].code) == ("END", 5)
    # Other files for the loaded version, good ones for the failed version: neither has an effect.
    (loaded / "1").rename(loaded / "old")
    put(loaded, 1, "half_plus_three")
    good = (HALF / "1" / "saved_model.pb").read_bytes()
    (failed / "2" / "saved_model.pb").write_bytes(good)

    def unchanged():
        answer = empty.predict("kept", {"instances": [2]}).json()
        assert empty.versions("failed")[2] == before[2]
        return answer == {"predictions": [3.0]} and empty.versions("kept") == {1: AVAILABLE}

    always(unchanged, 1.2)
    # Taken away, seen gone by one sweep, and brought back: then it is new.
    (failed / "2").rename(failed / "aside")
    time.sleep(1.3)  # nothing can be seen from outside when a failed version is forgotten
    (failed / "aside").rename(failed / "2")
    empty.wait_for("failed", 2)


def test_new_before_old_and_no_request_fails(empty, model):
    base = model("rolled", {1: "half_plus_two"})
    empty.reload(config(("rolled", base)))
    answers, stop = [], threading.Event()

    def client():
        while not stop.is_set():
            answers.append(empty.predict("rolled", {"instances": [2]}))

    thread = threading.Thread(target=client)
    thread.start()
    try:
        put(base, 2, "half_plus_three")
        empty.wait_for("rolled", 1, GONE)
    finally:
        stop.set()
        thread.join()
    assert {each.code for each in answers} == {200}
    seen = [each.json()["predictions"][0] for each in answers]
    assert seen == sorted(seen)
    assert set(seen) <= {3.0, 4.0}
    assert empty.predict("rolled", {"instances": [2]}).json() == {"predictions": [4.0]}


def test_the_slowest_request_of_any_model_delays_every_load(empty):
    """Publishing a load waits for all requests that hold the map from before it."""
    empty.reload(config(("slow", models.model("slow"))))
    rounds = 20_000
    while True:
        began = time.monotonic()
        assert empty.predict("slow", {"inputs": rounds}).code == 200
        if time.monotonic() - began > 0.2:
            break
        rounds *= 2
    running = threading.Thread(target=lambda: empty.predict("slow", {"inputs": rounds * 8}))
    running.start()
    ready = threading.Event()

    def reload():
        empty.reload(config(("slow", models.model("slow")), ("quick", HALF)))
        ready.set()

    threading.Thread(target=reload).start()
    eventually(lambda: empty.versions("quick").get(1))
    always(lambda: not (ready.is_set() and running.is_alive()), 1)
    running.join()
    assert ready.wait(10)
    assert empty.versions("quick") == {1: AVAILABLE}


def test_warmup_requests_are_replayed_and_fail_the_load(empty, model):
    contents = {"warm": warmup_record(), "cold": b"not records at all"}
    listed = [(name, model(name, {1: "half_plus_two"})) for name in contents]
    for name, base in listed:
        extra = base / "1" / "assets.extra"
        extra.mkdir()
        (extra / "tf_serving_warmup_requests").write_bytes(contents[name])
    code, message = refused(empty.reload, config(*listed))
    assert (code, message[:8]) == ("UNKNOWN", "1 model(")
    assert empty.versions("warm") == {1: AVAILABLE}
    assert empty.versions("cold")[1].code == 15


def warmup_record():
    import google_crc32c

    from berth.protos import tfserving_pb2 as pb

    def masked(content):
        value = google_crc32c.value(content)
        rotated = (value >> 15 | value << 17) & 0xFFFFFFFF
        return ((rotated + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")

    logged = pb.PredictionLog()
    tensor = logged.predict_log.request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.append(1)
    body = logged.SerializeToString()
    size = len(body).to_bytes(8, "little")
    return size + masked(size) + body + masked(body)
