"""The SVG files are what their sources render to."""

import pytest

from infra.diagrams import __main__ as diagrams


@pytest.fixture(scope="module")
def renderer():
    return diagrams.renderer(print)


@pytest.mark.parametrize(
    "source", sorted(diagrams.FOLDER.glob("*.dot")), ids=lambda source: source.stem
)
def test_a_diagram_is_rendered_from_its_source(source, renderer):
    assert source.with_suffix(".svg").read_text() == diagrams.render(renderer, source)
