"""Text from outside, made fit for a cause or a log: it must neither forge a line nor hide what it is."""

MOST_CHARACTERS = 60


def visible(text: str, most: int = MOST_CHARACTERS) -> str:
    """Write out what cannot be seen, as Python would: a line's end as ``\\n``; cut off what is very long."""
    shown = text[:most]
    if not shown.isprintable():
        shown = "".join(
            character if character.isprintable() else character.encode("unicode_escape").decode()
            for character in shown
        )
    return shown if len(text) <= most else f"{shown}…"
