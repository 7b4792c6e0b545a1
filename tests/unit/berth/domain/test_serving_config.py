"""Serving configs: what is rendered is parsed back, whatever the names; anything else is Damaged."""

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import serving_config
from berth.domain.errors import Damaged
from berth.domain.serving_config import Entry
from berth.protos import tfserving_pb2

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ENTRIES = st.builds(
    serving_config.entry, ANY, st.lists(st.integers(1, 10**15), min_size=1, max_size=4)
)


def test_an_empty_config_is_a_list_without_models():
    text = serving_config.render({})
    assert text == "model_config_list {\n}\n"
    assert serving_config.parse(text) == {}


def test_the_text_names_the_platform_and_each_version():
    text = serving_config.render(
        {"acme.digits": serving_config.entry("/models/acme/digits", [2, 1, 2])}
    )
    assert text.splitlines()[1] == (
        '  config { name: "acme.digits" base_path: "/models/acme/digits" model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 versions: 2 } } }"
    )


@settings(max_examples=80)
@given(st.dictionaries(ANY, ENTRIES, max_size=4))
def test_any_config_survives_the_round_trip(config):
    text = serving_config.render(config)
    assert serving_config.parse(text) == config
    assert serving_config.render(serving_config.parse(text)) == text


@pytest.mark.parametrize(
    "name", ['a" } config { name: "evil', "a\\", 'a\\"', "a\nb", "a # b", "\x00", "é"]
)
def test_a_hostile_name_cannot_break_out_of_its_text(name):
    entry = Entry("/m", (1,))
    assert serving_config.parse(serving_config.render({name: entry, "b": entry})).keys() == {
        name,
        "b",
    }


ENTRY = serving_config.entry("/models/acme/digits", [2, 10**15])
PLAIN = serving_config.render({"acme.digits": ENTRY, "acme.starter": ENTRY})


def _slowly(text):
    message = text_format.Parse(text, tfserving_pb2.ModelServerConfig())
    return {
        item.name: Entry(item.base_path, tuple(item.model_version_policy.specific.versions))
        for item in message.model_config_list.config
    }


def test_what_is_rendered_without_escapes_is_read_without_protobuf(monkeypatch):
    expected = _slowly(PLAIN)
    monkeypatch.setattr(text_format, "Parse", None)
    assert serving_config.parse(PLAIN) == expected == {"acme.digits": ENTRY, "acme.starter": ENTRY}


@pytest.mark.parametrize(
    "text",
    [
        PLAIN[:-3],
        PLAIN + "}",
        PLAIN.replace("versions: 2 ", "versions: -2 "),
        PLAIN.replace("versions: 2 ", "versions: 9223372036854775808 "),
        PLAIN.replace("acme.digits", "acme\x00digits"),
        PLAIN.replace("  config", "  # config", 1),
        PLAIN.replace("  config", "\n  config", 1),
        PLAIN.replace("acme.starter", "acme.digits"),
    ],
)
def test_any_other_text_says_what_protobuf_says(text):
    try:
        expected = _slowly(text)
    except text_format.ParseError:
        with pytest.raises(Damaged):
            serving_config.parse(text)
    else:
        assert serving_config.parse(text) == expected


def test_the_order_in_memory_does_not_matter():
    one, two = Entry("/a", (1,)), Entry("/b", (2,))
    assert serving_config.render({"a": one, "b": two}) == serving_config.render(
        {"b": two, "a": one}
    )


@pytest.mark.parametrize("text", ["", "nonsense", "model_config_list {", "custom_model_config {}"])
def test_anything_else_is_damaged_never_empty(text):
    with pytest.raises(Damaged, match="ModelServerConfig"):
        serving_config.parse(text)


def test_it_is_what_tf_serving_parses():
    text = serving_config.render({"acme.digits": Entry("/m", (1, 3))})
    parsed = text_format.Parse(text, tfserving_pb2.ModelServerConfig())
    (model,) = parsed.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 3]
