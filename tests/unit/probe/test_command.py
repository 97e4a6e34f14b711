"""The probe as a command, run as a real process against a real server."""

import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from probe import textfile
from tests.unit.probe.scripted_servers import PATIENCE_SECONDS, Reply, Seen, WebServer, wait_until

pytestmark = pytest.mark.enable_socket
StartWeb = Callable[[Callable[[Seen], Reply]], WebServer]
StartProbe = Callable[..., "subprocess.Popen[str]"]


def version(number: int) -> Reply:
    """Answer with a version."""
    return Reply(body=b'{"version": "0.0.%d"}' % number)


def test_all_answered(web: StartWeb, probe: StartProbe, tmp_path: Path) -> None:
    """When every request was answered the status is 0, and file and summary agree."""
    server = web(lambda seen: version(1 if seen.number <= 10 else 2))
    run = probe("--url", server.url, "--for", "1s", "--rate", "25", "--out", "results/a.txt")
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (0, "")
    records = textfile.read(tmp_path / "results" / "a.txt")
    assert list(range(1, len(records) + 1)) == [record.n for record in records]
    assert len(server.seen) == len(records)
    assert {"/version"} == {seen.path for seen in server.seen}
    assert f"requests      {len(records)}\nfailures      0\nmissed ticks  {25 - len(records)}\n" in output
    assert "0.0.1: 10 answers" in output
    assert "written to    results/a.txt" in output
    text = (tmp_path / "results" / "a.txt").read_text(encoding="utf-8")
    assert text.startswith("# Crossfade test client\n# url")
    assert f"# requests      {len(records)}\n" in text


def test_any_service(web: StartWeb, probe: StartProbe, tmp_path: Path) -> None:
    """A path, a place of the version, headers and an endpoint; the headers' values are written nowhere."""
    server = web(lambda _: Reply(body=b"ok", headers={"X-Version": "6.14"}))
    run = probe(
        *("--url", "http://web.invalid", "--connect-to", server.url.removeprefix("http://")),
        *("--path", "/health?deep=1", "--version-from", "header:x-version", "--header", "X-Key: hunter2"),
        *("--for", "0.5s", "--rate", "10", "--out", "a.txt"),
    )
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (0, "")
    assert {(seen.path, seen.headers["Host"], seen.headers["X-Key"]) for seen in server.seen} == {
        ("/health?deep=1", "web.invalid", "hunter2")
    }
    assert {record.version for record in textfile.read(tmp_path / "a.txt")} == {"6.14"}
    assert "hunter2" not in output + (tmp_path / "a.txt").read_text(encoding="utf-8")


def test_several_paths(web: StartWeb, probe: StartProbe, tmp_path: Path) -> None:
    """Each by its weight; file and summary say what each has met."""
    server = web(lambda seen: Reply(status=500) if seen.path == "/orders?page=1" else version(1))
    run = probe(
        *("--url", server.url, "--path", "/version", "--path", "3 /orders?page=1"),
        *("--for", "1s", "--rate", "20", "--out", "a.txt"),
    )
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (1, "")
    records = textfile.read(tmp_path / "a.txt")
    assert {(record.path, record.status, record.version) for record in records} == {
        (None, 200, "0.0.1"),
        ("/orders?page=1", 500, None),
    }
    orders = sum(record.path is not None for record in records)
    assert abs(orders - 0.75 * len(records)) < 2
    assert f"path          /orders?page=1: {orders} requests, {orders} failed, p50 " in output
    assert f"path          /version: {len(records) - orders} requests, 0 failed, p50 " in output
    assert f"failure       HTTP 500 at /orders?page=1: {orders}, for example" in output
    text = (tmp_path / "a.txt").read_text(encoding="utf-8")
    assert "# path          /version: 1 of 4 requests, and the version\n" in text


def test_a_service_without_a_version(web: StartWeb, probe: StartProbe, tmp_path: Path) -> None:
    """Its answers count by their status, and no line speaks of a version."""
    server = web(lambda _: Reply(body=b"<p>hello"))
    run = probe(
        *("--url", server.url, "--path", "/", "--version-from", "none"),
        *("--for", "6s", "--rate", "5", "--out", "a.txt"),
    )
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (0, "")
    assert "failures      0" in output
    assert "version" not in output


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(status=500), id="error"),
        pytest.param(Reply(status=302, headers={"Location": "/"}), id="redirect"),
        pytest.param(Reply(status=503, server="awselb/2.0"), id="no-target"),
        pytest.param(Reply(drop=True), id="dropped"),
    ],
)
def test_one_failure(web: StartWeb, probe: StartProbe, tmp_path: Path, reply: Reply) -> None:
    """One failed request is enough for status 1."""
    server = web(lambda seen: reply if seen.number == 2 else Reply())
    run = probe("--url", server.url, "--for", "0.5s", "--rate", "20", "--out", "a.txt")
    output, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 1
    assert "failures      1\n" in output
    assert len([record for record in textfile.read(tmp_path / "a.txt") if not record.ok]) == 1


def test_no_answer_at_all(probe: StartProbe) -> None:
    """A service that is not there is failed requests, not a crash."""
    run = probe("--url", "http://127.0.0.1:1", "--for", "0.3s", "--rate", "10")
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (1, "")
    assert re.search(r"requests      ([1-3])\nfailures      \1\n", output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_early(web: StartWeb, probe: StartProbe, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the run early, with its summary; the file could be read all along."""
    server = web(lambda _: Reply())
    path = tmp_path / "a.txt"
    run = probe("--url", server.url, "--for", "1h", "--rate", "50", "--out", "a.txt")
    wait_until(lambda: path.exists() and len(textfile.read(path)) >= 5, "records in the file")
    run.send_signal(number)
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (0, "")
    assert f"requests      {len(server.seen)}\n" in output
    assert len(textfile.read(path)) == len(server.seen)
    assert "(asked to stop)" in path.read_text(encoding="utf-8")


def test_ended_before_the_first_answer(web: StartWeb, probe: StartProbe) -> None:
    """A run that was ended while its only request was out has failed, and does not wait for ever."""
    hold = threading.Event()
    server = web(lambda _: Reply(hold=hold))
    run = probe("--url", server.url, "--for", "1h", "--rate", "0.01", "--timeout", "0.5s")
    wait_until(lambda: server.seen, "the first request")
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=PATIENCE_SECONDS)
    hold.set()
    assert run.returncode == 1
    assert "failures      1\n" in output


def test_file_that_cannot_be_written(probe: StartProbe, tmp_path: Path) -> None:
    """A file that cannot be written is told in a sentence, with status 2, before anything is sent."""
    (tmp_path / "taken").write_text("", encoding="utf-8")
    run = probe("--url", "http://127.0.0.1:1", "--out", "taken/a.txt")
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 2
    assert errors.startswith("probe: cannot write taken/a.txt: File exists. ")
    assert "--out" in errors
    assert "in a container, mount one" in errors


def test_the_help_says_how_the_image_is_used(probe: StartProbe) -> None:
    """In a container that is read-only and not root's, the default file needs a folder that is mounted."""
    output, _ = probe("--help").communicate(timeout=PATIENCE_SECONDS)
    assert '--volume "$PWD:/srv/test_client_results" IMAGE' in output


def test_outside_text_and_secrets(web: StartWeb, probe: StartProbe, tmp_path: Path) -> None:
    """A forged line, a control code and a password reach neither the terminal nor the file."""
    body = b'{"version": "1\\t200\\n# ended \\u001b[31m"}'
    server = web(lambda _: Reply(body=body))
    url = server.url.replace("//", "//user:secret@")
    run = probe("--url", url, "--for", "0.3s", "--rate", "10", "--out", "a.txt")
    output, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert (run.returncode, errors) == (0, "")
    assert "Authorization" in server.seen[0].headers
    for shown in (output, (tmp_path / "a.txt").read_text(encoding="utf-8")):
        assert "secret" not in shown
        assert "//***@127.0.0.1" in shown
        assert shown.replace("\n", "").isprintable()
        assert not re.search(r"^# ended \\?\x1b", shown, re.M)


def test_kinds_of_failure_are_told(web: StartWeb, probe: StartProbe) -> None:
    """With what was answered, how often, and an example."""
    server = web(lambda _: Reply(status=404))
    run = probe("--url", server.url, "--for", "0.3s", "--rate", "10", "--out", "a.txt")
    output, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert f"failure       HTTP 404: {len(server.seen)}, for example request 1, sent 2" in output


def test_bad_arguments(probe: StartProbe) -> None:
    """Bad arguments end the process with status 2."""
    run = probe("--url", "nonsense")
    _, errors = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 2
    assert "not an address" in errors
