"""Version labels: when a config may assign them, and what asking by label gives."""

import pytest

from tests.contract.tfserving.conftest import put
from tests.support.model_server import AVAILABLE, config, refused

REFUSED = "Request to assign label to version {} of model {}, which is not currently available for inference"


def labelled(name, base, **labels):
    each = "".join(
        f' version_labels {{ key: "{key}" value: {value} }}' for key, value in labels.items()
    )
    return config((name, base, "model_version_policy { all {} }" + each))


def ask(server, target):
    answer = server.predict(target, {"instances": [2]})
    return answer.json().get("predictions", answer.json().get("error"))


def test_labels_follow_available_versions(empty, model):
    base = model("l", {1: "half_plus_two"})
    empty.reload(labelled("l", base))
    empty.reload(labelled("l", base, stable=1, canary=1))
    assert ask(empty, "l/labels/stable") == ask(empty, "l/labels/canary") == [3.0]
    # The whole reload fails, and the labels of before stay.
    refusal = ("FAILED_PRECONDITION", REFUSED.format(2, "l"))
    assert refused(empty.reload, labelled("l", base, stable=1, canary=2)) == refusal
    assert ask(empty, "l/labels/canary") == [3.0]
    put(base, 2, "half_plus_three")
    empty.wait_for("l", 2)
    empty.reload(labelled("l", base, canary=2))
    assert ask(empty, "l/labels/canary") == [4.0]
    # A label that is left out is gone at once.
    assert ask(empty, "l/labels/stable") == "Unrecognized servable version label: stable"
    assert ask(empty, "unknown/labels/stable") == "Unrecognized servable version label: stable"


def test_nothing_ties_labels_to_the_policy(empty, model):
    base = model("d", {1: "half_plus_two", 2: "half_plus_three"})
    empty.reload(labelled("d", base))
    empty.wait_for("d", 1)
    only = (
        "model_version_policy { specific { versions: 2 } } version_labels { key: 'old' value: 1 }"
    )
    empty.reload(config(("d", base, only)))
    empty.wait_for("d", 1, empty.versions("d")[1]._replace(state="END"))
    assert ask(empty, "d/labels/old") == "Servable not found for request: Specific(d, 1)"
    # From now on every reload with that label fails as a whole.
    assert refused(empty.reload, config(("d", base, only)))[0] == "FAILED_PRECONDITION"


@pytest.fixture(scope="module")
def lenient(tmp_path_factory):
    from tests.contract.tfserving.conftest import IMPATIENT
    from tests.support.model_server import ModelServer

    folder = tmp_path_factory.mktemp("lenient")
    with ModelServer(
        folder,
        models=config(),
        num_load_threads=2,
        allow_version_labels_for_unavailable_models=True,
        **IMPATIENT,
    ) as server:
        yield server.ready()


def test_with_the_flag_a_new_label_may_wait_for_its_version_but_not_move_to_it(lenient, model):
    base = model("w", {1: "half_plus_two"})
    lenient.reload(labelled("w", base, stable=1, next=2))
    assert lenient.versions("w") == {1: AVAILABLE}
    assert ask(lenient, "w/labels/stable") == [3.0]
    assert ask(lenient, "w/labels/next") == "Servable not found for request: Specific(w, 2)"
    lenient.reload(labelled("w", base, stable=1, next=2))
    refusal = ("FAILED_PRECONDITION", REFUSED.format(2, "w"))
    assert refused(lenient.reload, labelled("w", base, stable=2, next=2)) == refusal
    put(base, 2, "half_plus_three")
    lenient.wait_for("w", 2)
    lenient.reload(labelled("w", base, stable=2, next=2))
    assert ask(lenient, "w/labels/stable") == [4.0]
