"""HTML and SVG from elements: a text is escaped by being put into one, wherever it comes from."""

from collections.abc import Iterable
from html import escape
from typing import Any

from crossfade.domain.text import visible

LONGEST_TEXT = 500
VOID = {"meta", "br", "col"}


class Html(str):
    """Markup, finished, or what is made of numbers: the one kind of text that is not escaped."""

    __slots__ = ()


Child = str | Iterable[str] | None


def element(name: str, *children: Child, **attributes: Any) -> Html:
    """An element; an attribute that is None or False is left out, and True has no value.

    Names are written as Python takes them: ``class_`` for class, ``stroke_width`` for stroke-width.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{together(*children)}</{name}>")


def together(*children: Child) -> Html:
    """Several children, one after the other."""
    return Html("".join(_child(child) for child in children))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return shown(child)
    return together(*child)


def shown(text: str) -> str:
    """A text from anywhere: on one line, of bounded length, what cannot be seen written out, and escaped."""
    return escape(visible(text, LONGEST_TEXT))


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{value if isinstance(value, Html) else shown(str(value))}"'
