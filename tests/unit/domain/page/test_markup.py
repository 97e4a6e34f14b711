"""Markup: what is text stays text, wherever it comes from."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from crossfade.domain.page.markup import Html, element, together


class _Read(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))


@given(st.text(max_size=80))
def test_no_text_makes_an_element_or_an_attribute(text: str) -> None:
    """As a child, within others, and as an attribute's value."""
    read = _Read()
    read.feed(element("p", text, [text], element("b", text), title=text))
    assert [tag for tag, _ in read.tags] == ["p", "b"]
    assert [list(attributes) for _, attributes in read.tags] == [["title"], []]


def test_what_is_markup_is_not_escaped_again() -> None:
    """And what is missing leaves nothing."""
    assert element("p", Html("<b>"), None, class_="x", open=True, id=None) == '<p class="x" open><b></p>'
    assert together("a<", element("br")) == "a&lt;<br>"


def test_text_that_cannot_be_seen_is_written_out() -> None:
    """Half of a pair of surrogates could not be stored; what turns a line around would deceive."""
    assert element("p", "a\ud800\u202eb") == "<p>a\\ud800\\u202eb</p>"
