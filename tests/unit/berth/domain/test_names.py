"""Names: what is accepted, what is refused, and what an object in the inbox belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from berth.domain import names
from berth.domain.errors import InvalidEvent
from berth.domain.names import BadName, ModelName, VersionName

DIGITS = ModelName("acme", "digits")


@pytest.mark.parametrize("text", ["a", "0", "acme", "a-b", "a--b", "9-lives", "a" * 40])
def test_a_valid_name_is_taken_as_it_is(text):
    assert names.customer(text) == text
    assert names.servable(f"{text}.{text}") == ModelName(text, text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-a", "a-", "A", "a_b", "a.b", "a/b", "a" * 41, "a\n", "é", "٣", " a", "a\x00", ".."),
        *(None, 1, True, ["acme"]),
    ],
)
def test_any_other_name_is_refused_with_the_rule(text):
    with pytest.raises(InvalidEvent, match="not a valid name"):
        names.customer(text)


def test_nobody_is_named_as_the_folder_of_the_starter_models():
    with pytest.raises(InvalidEvent, match="reserved"):
        names.customer("templates")
    refused = names.parse_upload("templates/starter/1/saved_model.pb")
    assert refused == BadName(
        "templates/starter/1.status.json",
        "customer 'templates' is not a valid name: it is reserved",
    )
    assert names.model("acme", "templates") == ModelName("acme", "templates")


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), ("1" + "0" * 15, 10**15)])
def test_a_version_is_a_plain_decimal(text, number):
    assert names.version(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", "1.0", "1e3", "٣", "1\n", " 1", str(10**15 + 1), "9" * 5000]
)
def test_any_other_version_is_refused(text):
    with pytest.raises(InvalidEvent, match="plain decimal"):
        names.version(text)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("acme/digits/1/saved_model.pb", VersionName(DIGITS, 1)),
        ("acme/digits/1/variables/variables.index", VersionName(DIGITS, 1)),
        ("acme/digits/serving.yaml", DIGITS),
        ("acme/digits/1.status.json", None),
        ("acme/digits/serving.yaml.status.json", None),
        ("whatever.status.json", None),
    ],
)
def test_an_object_belongs_to_its_version_or_model_or_is_our_answer(name, subject):
    assert names.parse_upload(name) == subject


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("Acme/digits/1/saved_model.pb", "Acme/digits/1.status.json"),
        ("acme/digits/one/saved_model.pb", "acme/digits/one.status.json"),
        ("acme/digits/007/saved_model.pb", "acme/digits/007.status.json"),
        ("acme/digits/saved_model.pb", "acme/digits/saved_model.pb.status.json"),
        ("acme/digits/1/", "acme/digits/1.status.json"),
        ("acme/digits/1", "acme/digits/1.status.json"),
        ("loose.txt", "loose.txt.status.json"),
        ("acme/-/serving.yaml", "acme/-/serving.yaml.status.json"),
    ],
)
def test_an_object_of_no_version_is_answered_at_its_first_three_parts(name, answer):
    subject = names.parse_upload(name)
    assert isinstance(subject, BadName)
    assert subject.answer == answer
    assert subject.reason


@given(st.text(max_size=80) | st.lists(st.text(max_size=5), max_size=6).map("/".join))
def test_the_answer_to_any_name_is_never_itself_answered(name):
    subject = names.parse_upload(name)
    if isinstance(subject, BadName):
        assert names.parse_upload(subject.answer) is None


@pytest.mark.parametrize(
    "name", ["a//b", "../b", "a/./b", "a\\b", "a\nb", "a\u202eb", "a" * 513, ""]
)
def test_no_answer_goes_where_a_path_trick_leads(name):
    assert not names.answerable(name)


def test_names_spell_their_folders():
    version = VersionName(DIGITS, 3)
    assert (DIGITS.servable, DIGITS.folder) == ("acme.digits", "acme/digits/")
    assert version.folder == "acme/digits/3/"


def test_the_starter_models_folder_holds_no_versions():
    """It is served from the templates: a version put there could be named, and never be found."""
    bad = names.parse_upload("acme/starter/2/saved_model.pb")
    assert isinstance(bad, names.BadName)
    assert "take another name" in bad.reason
    assert names.parse_upload("acme/starter/serving.yaml") == names.ModelName("acme", "starter")
