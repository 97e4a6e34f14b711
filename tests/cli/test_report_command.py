"""``crossfade report``: the page of a test client's file."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from probe.record import RequestRecord, utc
from probe.textfile import ClientFile

AT = 1_795_406_400.0


def _file(path: Path, requests: int) -> Path:
    """A client's file in which every tenth request failed, and the seventh is not."""
    file = ClientFile(path)
    file.write_header(["asks a service"])
    for n in range(1, requests + 1):
        status, version = (500, None) if n % 10 == 0 else (200, "<b>1.4.2</b>")
        record = RequestRecord("production", n, utc(AT + n / 20), status, version, 3.5, None)
        if n != 7:
            file.write(record)
    file.close()
    return path


def test_a_clients_file_has_a_page(tmp_path: Path) -> None:
    """Beside it, with its counts; what is not in the file is not passed over."""
    run = CliRunner().invoke(main, ["report", str(_file(tmp_path / "client.txt", 100))])
    assert (run.exit_code, run.output.strip()) == (0, str(tmp_path / "client.html"))
    page = (tmp_path / "client.html").read_text(encoding="utf-8")
    assert "10 of 99 requests failed" in page
    assert page.count('class="mark"') == 10
    assert "1 more were sent and are in no record" in page
    assert "&lt;b&gt;1.4.2&lt;/b&gt;" in page
    assert "<b>1.4.2" not in page


def test_a_page_is_written_where_it_is_to_be(tmp_path: Path) -> None:
    """And of an empty file too."""
    file, page = _file(tmp_path / "client.txt", 0), tmp_path / "page.html"
    run = CliRunner().invoke(main, ["report", str(file), "--out", str(page)])
    assert run.exit_code == 0
    assert "None of 0 requests failed" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["client.html", "client.txt"])
def test_a_page_never_takes_the_place_of_what_it_is_drawn_from(tmp_path: Path, name: str) -> None:
    """By its ending, or by what was asked for."""
    file = _file(tmp_path / name, 5)
    before = file.read_bytes()
    more = [] if name == "client.html" else ["--out", str(tmp_path / "." / name)]
    run = CliRunner().invoke(main, ["report", str(file), *more])
    assert (run.exit_code, "--out" in run.output) == (2, True), run.output
    assert file.read_bytes() == before


def test_what_is_no_clients_file_is_refused(tmp_path: Path) -> None:
    """With the line that is none; a file that is not there as well."""
    other = tmp_path / "other.txt"
    other.write_text("hello\n")
    for file, said in (
        (other, "line 1: not a request of a client file"),
        (tmp_path / "none", "No such file"),
    ):
        run = CliRunner().invoke(main, ["report", str(file)])
        assert run.exit_code == 2
        assert said in run.output
