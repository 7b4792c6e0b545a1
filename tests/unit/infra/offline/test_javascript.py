"""What the generated texts say of one resource, and what is not understood in them."""

import textwrap

import pytest

from infra.offline import javascript


def test_a_generated_text_of_another_form_is_an_error():
    with pytest.raises(javascript.Unreadable, match="extends SomethingNew"):
        javascript.block(["class Bucket extends cdktn.SomethingNew {\n"], [])
    with pytest.raises(javascript.Unreadable, match="no resource"):
        javascript.block(["const nothing = 1;\n"], [])


def test_scripts_and_declarations_that_do_not_agree_are_an_error():
    bucket = textwrap.dedent("""\
        class Bucket extends cdktn.TerraformResource {
            // name - computed: false, optional: false, required: true
            _name;
            synthesizeHclAttributes() {
                const attrs = {
                    name: {
                        value: cdktn.stringToHclTerraform(this._name),
                        isBlock: false,
                        type: "simple",
                        storageClassType: "string",
                    },
        """)
    declared = textwrap.dedent("""\
        export interface BucketConfig extends cdktn.TerraformMetaArguments {
            /**
            * WORDS
            *
            * Docs at Terraform Registry: {@link https://registry/docs#name Bucket#name}
            */
            readonly name: string;
        }
        """)
    plain = javascript.block([bucket], [declared.replace("WORDS", "Its name.")])
    assert plain["attributes"] == {"name": {"type": "string", "required": True}}
    one_of = javascript.block([bucket], [declared.replace("WORDS", 'Possible values: ["A", "B"]')])
    assert one_of["attributes"]["name"]["values"] == ["A", "B"]
    with pytest.raises(javascript.Unreadable, match="documented"):
        javascript.block([bucket], [declared.replace("WORDS", "name block")])
