"""The service spec: what a service's own stack tells Crossfade about it."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, field_validator, model_validator

from crossfade.domain.errors import InvalidServiceSpec
from crossfade.domain.model import Model, faults, unknown_keys
from crossfade.domain.slots import Slot
from crossfade.domain.spec.gate import GateSettings
from crossfade.domain.spec.history_events import MOST_EVENTS, RESERVE, most_events
from crossfade.domain.spec.version import VersionSource
from crossfade.domain.text import visible

DEPLOYMENT_SECONDS = 4 * 3600
"""TimeoutSeconds of the deployment's state machine, and the probe's own deadline."""

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Rate = Annotated[float, Field(gt=0, le=100)]
AlarmName = Annotated[str, Field(min_length=1, max_length=255)]


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+", value):
        raise ValueError("must be a URL without a path, such as http://host:8081")
    if "@" in value:
        raise ValueError("must not hold a name or password: it would stand in logs and in the journal")
    return value


BaseUrl = Annotated[str, AfterValidator(_url)]


def is_service_name(value: str) -> bool:
    """Whether a service may have this name: its ECS services and its SSM parameter are named after it."""
    return re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}", value) is not None


def _service_name(value: str) -> str:
    if not is_service_name(value):
        raise ValueError(
            f"{visible(value) or 'nothing'} is not a service's name. One has letters, digits and hyphens, "
            "begins with a letter or a digit, and is 63 characters long at most"
        )
    return value


ServiceName = Annotated[str, AfterValidator(_service_name)]


PROOF_ANSWERS = 6
"""The probe's proof at margin m needs about this number, divided by m, of answers on each lane."""
PROOF_SECONDS = 20
"""And at least this long, at any rate: two blocks, the beginning of the first, and the end of the last."""


TargetGroupArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:elasticloadbalancing:[^:]+:\d{12}:targetgroup/.+$")
]
ListenerArn = Annotated[
    str, Field(pattern=r"^arn:aws[a-z-]*:elasticloadbalancing:[^:]+:\d{12}:listener/app/.+$")
]


class Stage(Model):
    """A weight of the candidate in percent, and how long it is watched, in seconds."""

    weight: int = Field(ge=0, le=100)
    min_seconds: Seconds
    max_seconds: Seconds

    @model_validator(mode="after")
    def _deadline_after_minimum(self) -> Self:
        if self.max_seconds <= self.min_seconds:
            raise ValueError("max_seconds must be greater than min_seconds")
        return self


class Network(Model):
    """Where tasks run: the awsvpc configuration of ECS."""

    subnets: tuple[str, ...] = Field(min_length=1)
    security_groups: tuple[str, ...] = Field(min_length=1)
    public_ip: bool


class ReleaseSettings(Model):
    """Which pushes are released, and which containers get the image.

    ``repository`` is of this account and region; ``push_tags`` is a regular expression. ``containers``: empty
    for all whose image is of the repository. ``follow_pattern``: a change of the pattern is released by
    itself.
    """

    repository: str
    push_tags: str
    containers: tuple[str, ...] = ()
    follow_pattern: bool = False

    @field_validator("push_tags")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from error
        return value


MOST_ROUTES = 10
"""Entries of ``traffic``: a shift of all of them has to stay within one invocation."""


class ExistingRule(Model):
    """A listener rule of the service's owner, of which only the weights are Crossfade's."""

    rule: str = Field(pattern=r"^arn:aws[a-z-]*:elasticloadbalancing:[^:]+:\d{12}:listener-rule/app/.+$")

    @property
    def place(self) -> str:
        """What no second rule may be."""
        return f"the rule {self.rule}"


class OwnRule(Model):
    """A listener rule that Crossfade makes when the service is prepared.

    ``priority``: ``last`` is the highest one that is free, in the place of the listener's default action.
    ``conditions`` have the shape of ELB's ``RuleCondition``; empty for every request (``/*``).
    ``target_group`` is the one of the pattern's that it is to lead to, where that has several.
    """

    listener: ListenerArn
    priority: Annotated[int, Field(ge=1, le=50_000)] | Literal["last"]
    conditions: tuple[dict[str, Any], ...] = ()
    target_group: TargetGroupArn | None = None

    @property
    def place(self) -> str:
        """Where no second rule may be."""
        return f"priority {self.priority} of {self.listener}"

    @model_validator(mode="after")
    def _last_takes_every_request(self) -> Self:
        if self.priority == "last" and self.conditions:
            raise ValueError(
                "priority last takes every request, in the place of the default action: give a number, or "
                "no conditions"
            )
        return self


class Preview(Model):
    """The listener that gets the rules by a secret header, which lead to one side each."""

    listener: ListenerArn


class Launch(Model):
    """How long the candidate may take to become healthy, and how long it must stay so, in seconds."""

    deadline_seconds: Seconds
    hold_seconds: Seconds


class Retire(Model):
    """When the old version may go, in seconds.

    ``quiet_seconds`` without the old version in any production answer, and ``drain_seconds`` since the last
    shift; ``deadline_seconds`` after the last shift the wait is given up. For ``warm_seconds`` after the
    promotion its tasks run on, so that a rollback started by hand goes back to it at once.
    """

    quiet_seconds: Seconds
    drain_seconds: Seconds
    deadline_seconds: Seconds
    warm_seconds: int = Field(default=0, ge=0, le=86_400)


OWN_HEADERS = {"host", "user-agent", "x-crossfade-slot"}
"""In lower case. What the probe says itself: whom it asks, who it is, and which slot is to answer."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?")
"""RFC 9110, section 5.5."""


MOST_PATHS, MOST_WEIGHT = 8, 100
PATH_CHARACTERS = 128
"""The gate's state and the ledger's records have the names of paths."""
VERSION_SHARE = 0.1
"""The least share of the probe's requests for the version path: what a wrong version fails must not be little
enough to be borne, nor clients' last answers of an old version be seen late."""


class ProbePath(Model):
    """A path that the probe asks, and how often: ``weight`` requests of as many as all weights together."""

    path: str
    weight: Annotated[int, Field(strict=True)] = 1

    @field_validator("path")
    @classmethod
    def _asked(cls, value: str) -> str:
        if not re.fullmatch(r"/[!-\"$-~]*", value):
            raise ValueError(f"{visible(value) or 'nothing'} is not a path such as /orders?page=1")
        if len(value) > PATH_CHARACTERS:
            raise ValueError(f"has {len(value)} characters, and {PATH_CHARACTERS} are allowed")
        return value

    @field_validator("weight")
    @classmethod
    def _some(cls, value: int) -> int:
        if not 1 <= value <= MOST_WEIGHT:
            raise ValueError(f"must be a whole number from 1 to {MOST_WEIGHT}")
        return value


def _path(value: Any) -> Any:
    """A text is short for an object."""
    return {"path": value} if isinstance(value, str) else value


class Probe(Model):
    """How the probe reaches the service, how often in requests per second, and where its task runs.

    ``slot_rate`` is that of each slot's lane. ``network``: None for that of the pattern. ``connect_to`` is
    the host, with a port unless it is the address's own, that the probe connects to. What it asks for there,
    in the Host header and in TLS, stays the address's name. ``headers`` are sent with each request; they are
    no place for a secret, because the spec stands in the journal and in the execution. ``paths`` are all that
    are asked, the version path among them; empty for that one alone.
    """

    url: BaseUrl
    production_rate: Rate
    slot_rate: Rate
    network: Network | None = None
    connect_to: str | None = Field(
        default=None, pattern=r"^(\[[0-9a-fA-F:.]+\]|[^\s/:?#@\[\]]+)(:[0-9]{1,5})?$"
    )
    headers: dict[str, str] = Field(default={})
    paths: tuple[Annotated[ProbePath, BeforeValidator(_path)], ...] = ()

    @field_validator("paths")
    @classmethod
    def _a_few(cls, paths: tuple[ProbePath, ...]) -> tuple[ProbePath, ...]:
        if len(paths) > MOST_PATHS:
            raise ValueError(f"are {len(paths)}, and {MOST_PATHS} are allowed")
        names = [path.path for path in paths]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"name {twice} twice: give it a weight")
        return paths

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or name.lower() in OWN_HEADERS:
                raise ValueError(f"{visible(name)} is no header that can be set here")
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"{name} has a value that HTTP does not allow")
        return headers


class ServiceSpec(Model):
    """A service, as its owner describes it in the SSM parameter ``/<Crossfade's stack>/services/<name>``.

    ``like`` is the ECS service that is the pattern: what is not said here is read there at each release.
    ``tasks`` are those of a first release, where no task runs that could tell.
    """

    service: ServiceName
    like: str = Field(pattern=r"^arn:aws[a-z-]*:ecs:[^:]+:\d{12}:service/[^/]+/[^/]+$")
    release: ReleaseSettings
    traffic: tuple[ExistingRule | OwnRule, ...] = Field(min_length=1, max_length=MOST_ROUTES)
    preview: Preview
    login_bypass: bool = False
    version: VersionSource
    tasks: int = Field(default=1, ge=1)
    stages: tuple[Stage, ...]
    launch: Launch
    retire: Retire
    probe: Probe
    gate: GateSettings = GateSettings()
    alarms: tuple[AlarmName, ...] = Field(default=(), max_length=20)
    when_busy: Literal["queue", "supersede", "reject"] = "queue"

    @field_validator("traffic")
    @classmethod
    def _each_once(cls, traffic: tuple[ExistingRule | OwnRule, ...]) -> tuple[ExistingRule | OwnRule, ...]:
        places = [entry.place for entry in traffic]
        if twice := next((place for place in places if places.count(place) > 1), None):
            raise ValueError(f"names {twice} twice: leave it once")
        return traffic

    @field_validator("stages")
    @classmethod
    def _rise(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        weights = [stage.weight for stage in stages]
        rising = all(low < high for low, high in pairwise(weights))
        if len(weights) < 2 or weights[0] != 0 or weights[-1] != 100 or not rising:
            raise ValueError(f"weights must rise from 0 to 100, found {weights}")
        return stages

    def judged_seconds(self, stage: Stage) -> float:
        """The seconds of a stage in which the candidate's answers count."""
        warm_up = max(0.0, self.gate.warm_up_seconds - self.launch.hold_seconds)
        return stage.max_seconds - (warm_up if stage is self.stages[0] else 0.0)

    def deploys(self, tag: str) -> bool:
        """Whether a push of this tag starts a deployment."""
        return re.search(self.release.push_tags, tag) is not None

    @property
    def asked_paths(self) -> tuple[ProbePath, ...]:
        """All paths that the probe asks, the version path first."""
        paths = self.probe.paths or (ProbePath(path=self.version.path),)
        return tuple(sorted(paths, key=lambda asked: asked.path != self.version.path))

    @property
    def cluster(self) -> str:
        """The ARN of the cluster that the pattern and the slots run in."""
        before, _, rest = self.like.partition(":service/")
        return f"{before}:cluster/{rest.partition('/')[0]}"

    @property
    def cluster_name(self) -> str:
        """The name of that cluster."""
        return self.cluster.rpartition("/")[2]

    @property
    def pattern_service(self) -> str:
        """The name of the owner's ECS service."""
        return self.like.rpartition("/")[2]

    def own_service(self, slot: Slot) -> str:
        """The name of Crossfade's ECS service of a slot."""
        return f"{self.service}-{slot}"

    @property
    def family(self) -> str:
        """The family of the releases' task definitions, never that of the owner.

        ECS takes a family's name for its newest revision, which has to stay the owner's.
        """
        return f"crossfade-{self.service}"

    @property
    def route(self) -> ExistingRule | OwnRule:
        """How production traffic is found."""
        return self.traffic[0]


def _never_ends_well(spec: ServiceSpec) -> Iterator[str]:
    """Times with which every release, however good, would be rolled back.

    Judged where a spec is read for a new deployment, and not by the model: the plan of a running deployment
    holds a spec that an earlier version of Crossfade has accepted, and its rollback must not refuse it.
    """
    launch, retire, gate, stages = spec.launch, spec.retire, spec.gate, spec.stages
    if retire.deadline_seconds <= max(retire.quiet_seconds, retire.drain_seconds):
        yield "retire.deadline_seconds must exceed quiet_seconds and drain_seconds"
    needed = PROOF_ANSWERS / gate.probe_margin
    slow = [stage.weight for stage in stages if spec.probe.slot_rate * spec.judged_seconds(stage) < needed]
    if slow:
        yield (
            f"probe.slot_rate is too low: the stages {slow} end before the {needed:.0f} answers that "
            f"gate.probe_margin {gate.probe_margin:g} needs"
        )
    short = [stage.weight for stage in stages if spec.judged_seconds(stage) < PROOF_SECONDS]
    if short:
        yield (
            f"max_seconds of the stages {short} must be {PROOF_SECONDS} or more (of the first: after "
            "gate.warm_up_seconds)"
        )
    deaf = [
        stage.weight
        for stage in stages
        if 0 < stage.weight < 100 and stage.max_seconds < gate.users_reported_after
    ]
    if deaf:
        yield (
            f"max_seconds of the stages {deaf} must be {gate.users_reported_after:g} or more: "
            f"gate.users_seen_seconds of users come no sooner from {gate.users}"
        )
    longest = sum(stage.max_seconds for stage in stages) + launch.deadline_seconds + gate.give_up_seconds
    if longest + 2 * retire.deadline_seconds + retire.warm_seconds > DEPLOYMENT_SECONDS:
        yield f"all deadlines together must stay within {DEPLOYMENT_SECONDS} s"
    events = most_events(
        launch.deadline_seconds,
        [stage.max_seconds for stage in stages],
        retire.deadline_seconds,
        gate.give_up_seconds,
    )
    if events > MOST_EVENTS - RESERVE:
        yield (
            f"with launch.deadline_seconds {launch.deadline_seconds:g}, retire.deadline_seconds "
            f"{retire.deadline_seconds:g}, gate.give_up_seconds {gate.give_up_seconds:g} and these "
            f"stages an execution may have {events:,.0f} events, and "
            f"Step Functions ends it at {MOST_EVENTS:,}; {MOST_EVENTS - RESERVE:,} are allowed here"
        )


def _unclear_version(spec: ServiceSpec) -> Iterator[str]:
    """Paths among which the one that names the version is missing, or asked too seldom."""
    path, paths = spec.version.path, spec.probe.paths
    if not paths:
        return
    total = sum(asked.weight for asked in paths)
    weight = sum(asked.weight for asked in paths if asked.path == path)
    if not weight:
        yield (
            f"probe.paths are all paths that the probe asks, and version.path {path} is not among them: "
            "name it too"
        )
    elif weight < VERSION_SHARE * total:
        yield (
            f"probe.paths: version.path {path} has the weight {weight} of {total}, and needs a tenth at "
            "least: elsewhere a wrong version is not seen"
        )


def _malformed(name: str, wrong: list[str]) -> InvalidServiceSpec:
    return InvalidServiceSpec(
        f"The spec of service {name} in SSM is malformed. {'; '.join(wrong)}. "
        "Correct it in the service's stack."
    )


class Encrypted(str):
    """What SSM gives of a parameter of type SecureString to who does not ask for it to be decrypted."""


def read_spec(name: str, document: str) -> ServiceSpec:
    """Read the spec of service ``name`` from the JSON of its SSM parameter.

    Raises
    ------
    InvalidServiceSpec
        Names each wrong field and what is wrong with it, a key that is given twice, or the parameter's type.
    """
    if isinstance(document, Encrypted):
        raise InvalidServiceSpec(
            f"The SSM parameter of service {name}'s spec is a SecureString, and Crossfade decrypts nothing. "
            "A spec holds no secret: declare the parameter with type String in the service's stack."
        )
    try:
        spec = ServiceSpec.model_validate_json(document)
    except ValidationError as error:
        wrong = faults(error, "document")
        if '"blueprint"' in document:
            wrong.append(
                "This is the form of Crossfade 0.1: docs/adopting.md says how such a service changes over, "
                'under "A service of Crossfade 0.1"'
            )
        raise _malformed(name, wrong) from error
    given, twice = _parsed(document)
    wrong = [f"{key}: is given twice" for key in twice]
    wrong += [f"{key}: there is no such field" for key in unknown_keys(given, spec)]
    if wrong := wrong or [*_unclear_version(spec), *_never_ends_well(spec)]:
        raise _malformed(name, wrong)
    if spec.service != name:
        raise InvalidServiceSpec(
            f"The spec in the SSM parameter of service {name} says service: {spec.service}. "
            "The two names must be equal; correct the service's stack."
        )
    return spec


def _parsed(document: str) -> tuple[Any, list[str]]:
    """A document that is JSON, and the keys that an object has twice in it: their last values count."""
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        twice.extend(key for key in found if sum(key == name for name, _ in pairs) > 1)
        return found

    return json.loads(document, object_pairs_hook=once), twice


def repository_of(document: str) -> str:
    """The repository that a spec's document names; empty where the document cannot be read.

    Another service's malformed spec must not stop this one's deployment.
    """
    try:
        found = json.loads(document)
    except ValueError:
        return ""
    release = found.get("release") if isinstance(found, dict) else None
    return str(release.get("repository", "")) if isinstance(release, dict) else ""
