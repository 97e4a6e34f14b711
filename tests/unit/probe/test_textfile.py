"""The client's text file, written and read back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.record import RequestRecord, utc
from probe.textfile import ClientFile, line_of, read

AT = "2026-11-23T04:00:00.123Z"
RECORDS = [
    RequestRecord("production", 1, AT, 200, "0.0.1", 3.1, None),
    RequestRecord("production", 2, AT, 500, None, 12.0, None),
    RequestRecord("production", 3, AT, None, None, 2000.4, "no answer within 2 s"),
]
_words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_errors = _words.map(lambda text: " ".join(text.split())).filter(
    lambda text: text.isprintable() and text not in ("", "-")
)


def test_read_back(tmp_path: Path) -> None:
    """What was written is read back; the header and the summary are not requests."""
    file = ClientFile(tmp_path / "new" / "client.txt")
    file.write_header(["url  http://localhost:8080/version"])
    for record in RECORDS:
        file.write(record)
    file.write_comments(["requests  3"])
    file.close()
    assert read(tmp_path / "new" / "client.txt") == RECORDS


def test_paths_have_a_column_where_there_are_several(tmp_path: Path) -> None:
    """And an error may begin like one."""
    file = ClientFile(tmp_path / "client.txt", paths=True)
    file.write_header([])
    records = [
        *RECORDS,
        RequestRecord("production", 4, AT, 200, None, 3.1, None, path="/orders?page=1"),
        RequestRecord("production", 5, AT, None, None, 3.1, "/a b", path="/a"),
    ]
    for record in records:
        file.write(record)
    file.close()
    assert read(tmp_path / "client.txt") == records


def test_read_along(tmp_path: Path) -> None:
    """While the file is written each request can be read at once, and half a line is left for later."""
    path = tmp_path / "client.txt"
    file = ClientFile(path)
    file.write_header([])
    file.write(RECORDS[0])
    assert read(path) == RECORDS[:1]
    with path.open("a", encoding="utf-8") as other:
        other.write(line_of(RECORDS[1])[:30])
    assert read(path) == RECORDS[:1]
    file.close()


def test_no_line_can_be_forged(tmp_path: Path) -> None:
    """Whatever a service or an address holds, a line of the file is a line, and has no control codes."""
    path, odd = tmp_path / "client.txt", "1\t200\n# ended \x1b[31m"
    file = ClientFile(path)
    file.write_header([f"url {odd}"])
    file.write(RequestRecord("production", 1, AT, 200, odd, 1.0, odd))
    file.write_comments([odd])
    file.close()
    lines = path.read_text(encoding="utf-8").split("\n")
    assert len(lines) == 6
    assert all(line.isprintable() for line in lines)


def test_foreign_line(tmp_path: Path) -> None:
    """A line that is no request is named with its number."""
    path = tmp_path / "client.txt"
    path.write_text(f"# header\n{line_of(RECORDS[0])}\nsomething else\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 3"):
        read(path)


@given(
    n=st.integers(1, 10**9),
    epoch=st.integers(0, 2_000_000_000_000),
    status=st.none() | st.integers(100, 999),
    version=st.none() | _words,
    tenths=st.integers(0, 10**8),
    error=st.none() | _errors,
)
def test_any_record_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    n: int,
    epoch: int,
    status: int | None,
    version: str | None,
    tenths: int,
    error: str | None,
) -> None:
    """Law: whatever a service answers, the line is one line and gives the same record back."""
    record = RequestRecord("production", n, utc(epoch / 1000), status, version, tenths / 10, error)
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(line_of(record) + "\n", encoding="utf-8", newline="\n")
    assert read(path) == [record]
