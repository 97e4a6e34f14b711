"""`crossfade verify`: each check in one line, and nothing is changed."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from faults.aws.names import ACCOUNT, REGION
from tests.cli.owner import IMAGES, Owner
from tests.unit.probe.scripted_servers import Reply, Seen, WebServer

pytestmark = pytest.mark.enable_socket
Script = Callable[[Seen], Reply]
LIVE = Reply(body=b'{"version": "1.2.3"}')
NO_TARGET = Reply(status=503, server="awselb/2.0", body=b"")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.live.PAUSE_SECONDS", 0.0)


@pytest.fixture
def behind() -> Iterator[Callable[[Script], str]]:
    """Return a function that starts what answers behind the load balancer; it returns the address."""
    servers: list[WebServer] = []

    def start(script: Script) -> str:
        servers.append(WebServer(script))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def _of_the_owner(seen: Seen) -> Reply:
    """What answers while the owner's service is live, and no slot runs."""
    slot = seen.headers.get("x-crossfade-slot", "")
    return NO_TARGET if slot.endswith(("-blue", "-green")) else LIVE


def _lines(found: dict[str, Any]) -> str:
    """One line for each finding."""
    return "\n".join(
        f"{one['level']} {one['what']}: {one['name']} {one['text']}" for one in found["findings"]
    )


def test_all_is_well(owner: Owner, behind: Callable[[Script], str]) -> None:
    """Spec, pattern, route, image, rights, live version and preview rules; and no call writes."""
    owner.adopt("--url", behind(_of_the_owner))
    lines = _lines(owner.json("verify", "web", "1.2.4"))
    for what in (
        "spec", "pattern", "preparation", "route", "image", "task definition", "rights", "platform",
    ):  # fmt: skip
        assert f"ok {what}: " in lines
    assert re.search("ok live: .* answers with version 1.2.3", lines)
    assert "the rule of blue leads to no task" in lines
    assert "the rule of pattern leads to tasks that answer" in lines
    assert "wrong" not in lines
    assert owner.writes == []
    assert owner.run("verify", "web").stdout.startswith("ok      spec: ")


def test_each_port_is_looked_at(owner: Owner, behind: Callable[[Script], str]) -> None:
    """A further one answers as it does: the version is told by the first."""

    def answers(seen: Seen) -> Reply:
        role = seen.headers.get("x-crossfade-slot", "").partition("-")[2]
        return Reply(status=404) if role.startswith("pattern.") else _of_slots(role)

    owner.two_ports()
    owner.adopt("--url", behind(answers))
    lines = _lines(owner.json("verify", "web"))
    assert len(re.findall("^ok route: ", lines, re.MULTILINE)) == 2
    assert "the rule of pattern leads to tasks that answer" in lines
    assert re.search(r"ok preview: .*pattern\.[0-9a-f]{8} leads to tasks that answer at proxy:9090", lines)
    assert re.search(r"ok preview: .*blue\.[0-9a-f]{8} leads to no task", lines)
    assert "wrong" not in lines


def _of_slots(role: str) -> Reply:
    return NO_TARGET if role.startswith(("blue", "green")) else LIVE


def test_the_secret_is_not_shown(owner: Owner, behind: Callable[[Script], str]) -> None:
    """Whatever is answered."""
    owner.adopt("--url", behind(lambda _: Reply(status=404)))
    secret = owner.ssm.get_parameter(Name="/crossfade/preview/web", WithDecryption=True)["Parameter"]["Value"]
    done = owner.run("verify", "web")
    assert done.exit_code == 1
    assert secret not in done.stdout + done.stderr


def test_a_service_without_a_spec(owner: Owner) -> None:
    """It was never adopted."""
    assert "UnknownService" in _lines(owner.json("verify", "web", status=1))


def test_what_was_not_prepared_and_not_given(owner: Owner) -> None:
    """Both with the command that puts it right."""
    spec = owner.json("adopt", "--like", "shop/web")["spec"]
    owner.ssm.put_parameter(Name="/crossfade/services/web", Value=json.dumps(spec), Type="String")
    lines = _lines(owner.json("verify", "web", status=1))
    assert re.search("wrong preparation: NotPrepared .*crossfade adopt --like shop/web --name web", lines)
    assert re.search("wrong rights: .*Adopted and TaskRoles .*sam deploy --stack-name crossfade", lines)


def test_an_image_that_is_not_there(owner: Owner, behind: Callable[[Script], str]) -> None:
    """It was not pushed."""
    owner.adopt("--url", behind(_of_the_owner))
    lines = _lines(owner.json("verify", "web", "9.9.9", status=1))
    assert "wrong image: ImageTagNotFound" in lines
    assert "ok live: " in lines


def test_a_tag_that_says_no_version_and_starts_nothing(owner: Owner, behind: Callable[[Script], str]) -> None:
    """By `version.expect`, and by `push_tags`."""
    owner.push("team/web", "other")
    owner.adopt("--url", behind(_of_the_owner), "--expect", r"^(\d.*)$")
    lines = _lines(owner.json("verify", "web", "other", status=1))
    assert re.search("wrong version: InvalidInput version.expect .* finds no version in the tag other", lines)
    assert "warning push_tags:  a push of other starts no deployment" in lines


@pytest.mark.parametrize(
    ("wanted", "built", "level"),
    [("ARM64", "amd64", "wrong"), ("ARM64", "arm64", "ok"), (None, "amd64", "ok"), (None, "arm64", "wrong")],
)
def test_the_platform_of_the_image(
    owner: Owner, behind: Callable[[Script], str], wanted: str | None, built: str, level: str
) -> None:
    """As its index shows it; attestations are of no platform."""
    manifests = [
        {"digest": f"sha256:{name}", "platform": {"architecture": name, "os": "linux"}}
        for name in (built, "unknown")
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    }
    owner.answers["BatchGetImage"] = {"images": [{"imageManifest": json.dumps(index)}]}
    platform = {"runtimePlatform": {"cpuArchitecture": wanted}} if wanted else {}
    owner.ecs.update_service(cluster="shop", service="web", taskDefinition=owner.define(**platform))
    owner.adopt("--url", behind(_of_the_owner))
    lines = _lines(owner.json("verify", "web", status=1 if level == "wrong" else 0))
    assert f"{level} platform: " in lines


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=403), "wrong live: .*HTTP 403, expected 200. A login or a web ACL"),
        (
            Reply(status=302, headers={"Location": "https://login.example/?client=web"}),
            "wrong live: .*HTTP 302 to https://login.example/, expected 200. A login or a redirect",
        ),
        (Reply(status=404), "wrong live: .*HTTP 404.*look at version.path"),
        (Reply(body=b"hello"), "wrong live: .*no version .*must name its version"),
        (Reply(body=b'{"version": "7"}'), 'wrong live: .*version "7", expected "1.2.3".*version.expect'),
        (NO_TARGET, "wrong live: .*HTTP 503 by the load balancer.*has no target for it"),
    ],
)  # fmt: skip
def test_what_the_probe_would_meet(
    owner: Owner, behind: Callable[[Script], str], reply: Reply, said: str
) -> None:
    """In the gate's words, with what to do."""
    owner.adopt("--url", behind(lambda _: reply))
    assert re.search(said, _lines(owner.json("verify", "web", status=1)))


@pytest.mark.parametrize(
    ("status", "level", "said"),
    [
        (200, "ok", "answers with version 1.2.3"),
        (404, "wrong", "10 of 20: HTTP 404 at /orders, expected 200. Nothing is served at that path"),
    ],
)
def test_each_path_that_the_probe_asks(
    owner: Owner, behind: Callable[[Script], str], status: int, level: str, said: str
) -> None:
    """One that always fails is wrong, however well the others answer: no release would be promoted."""
    orders = Reply(status=status, body=b"[]")
    url = behind(lambda seen: orders if seen.path == "/orders" else _of_the_owner(seen))
    spec = owner.adopt("--url", url)
    spec["probe"]["paths"] = ["/orders", spec["version"]["path"]]
    owner.ssm.put_parameter(
        Name="/crossfade/services/web", Value=json.dumps(spec), Type="String", Overwrite=True
    )
    lines = _lines(owner.json("verify", "web", status=1 if level == "wrong" else 0))
    assert re.search(f"{level} live: .*{said}", lines)


def test_an_application_that_names_no_version(owner: Owner, behind: Callable[[Script], str]) -> None:
    """It is judged by status and latency, and that is said."""
    url = behind(
        lambda seen: _of_the_owner(seen) if "x-crossfade-slot" in seen.headers else Reply(body=b"hello")
    )
    owner.adopt("--url", url, "--version-path", "/", "--version-from", "none")
    assert "warning live:" in _lines(owner.json("verify", "web"))
    assert "names no version" in _lines(owner.json("verify", "web"))


def test_failures_that_an_application_has_of_its_own(owner: Owner, behind: Callable[[Script], str]) -> None:
    """Connections that it closes early are met as 502 of the load balancer, now and then."""
    early = Reply(status=502, server="awselb/2.0", body=b"")
    owner.adopt("--url", behind(lambda seen: early if seen.number == 7 else _of_the_owner(seen)))
    lines = _lines(owner.json("verify", "web"))
    assert re.search("warning live: .*1 of 20: HTTP 502 by the load balancer", lines)
    assert "closes idle connections sooner than the load balancer" in lines


def test_an_address_that_is_not_reached_from_here(owner: Owner) -> None:
    """The probe asks from another network, so that is no reason to stop."""
    owner.adopt("--url", "http://127.0.0.1:9")
    lines = _lines(owner.json("verify", "web"))
    assert re.search("warning live: .*does not answer here; the probe asks from its own network", lines)


def test_a_rule_that_stands_before_the_previews(owner: Owner, behind: Callable[[Script], str]) -> None:
    """The probe would meet another service."""
    owner.adopt(
        "--url", behind(lambda seen: Reply(status=404) if "x-crossfade-slot" in seen.headers else LIVE)
    )
    lines = _lines(owner.json("verify", "web", status=1))
    assert "wrong preview:  by the rule of blue came HTTP 404: another rule stands before it" in lines


def test_the_log_of_a_feed(owner: Owner, behind: Callable[[Script], str]) -> None:
    """It is not there."""
    logs = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/web", "awslogs-stream-prefix": "web", "awslogs-region": REGION},
    }
    container = {
        "name": "app", "image": f"{IMAGES}/team/web:1.2.3", "memory": 512,
        "portMappings": [{"containerPort": 8080}], "logConfiguration": logs,
    }  # fmt: skip
    definition = owner.define(containerDefinitions=[container])
    owner.ecs.update_service(cluster="shop", service="web", taskDefinition=definition)
    spec = owner.adopt("--url", behind(_of_the_owner)) | {"gate": {"users": "feed"}}
    owner.ssm.put_parameter(
        Name="/crossfade/services/web", Value=json.dumps(spec), Type="String", Overwrite=True
    )
    owner.parameters["Adopted"] += f",arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/web:*"
    lines = _lines(owner.json("verify", "web", status=1))
    assert re.search("wrong feed: PatternUnusable .*cannot read the log group /web", lines)
