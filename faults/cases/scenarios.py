"""What is simulated: a service and what happens to it; each is run unharmed first, then with faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from crossfade.domain.slots import Slot
from faults.aws.account import NEIGHBOUR
from faults.aws.autoscaling import SUSPENDED
from faults.aws.images import Image
from faults.aws.pattern import OTHER_GROUP, PRIORITY, TARGET_GROUP
from faults.aws.views import PROBES
from faults.cases.disturbances import Disturber
from faults.cases.fault import Faults
from faults.cases.respecs import respec
from faults.cases.service import LISTENER, OTHER_LISTENER, OTHER_RULE, RULE, document, login
from faults.inhabit import inhabited
from faults.world import World, thaw

# Deadlines leave room for a call that times out and is tried again: that alone must change nothing. Margins
# are wide: two blocks of 5 s with few requests are proof enough. Users are not waited for.
SPEC: dict[str, Any] = {
    "tasks": 2,
    "stages": [
        {"weight": 0, "min_seconds": 1, "max_seconds": 150},
        {"weight": 10, "min_seconds": 2, "max_seconds": 150},
        {"weight": 100, "min_seconds": 2, "max_seconds": 150},
    ],
    "launch": {"deadline_seconds": 150, "hold_seconds": 1},
    "retire": {"quiet_seconds": 5, "drain_seconds": 3, "deadline_seconds": 150},
    "probe": document()["probe"] | {"production_rate": 4, "slot_rate": 4},
    "gate": {
        "probe_margin": 0.25,
        "warm_up_seconds": 0,
        "users_seconds": 0,
        "users_seen_seconds": 0,
        "clump_seconds": 3,
        "give_up_seconds": 300,
    },
}
FEED = {
    "gate": SPEC["gate"]
    | {
        "users": "feed",
        "users_harmed": 0.5,
        "users_margin": 0.5,
        "users_seconds": 25,
        "users_seen_seconds": 10,
        "settle_seconds": 2,
        "give_up_seconds": 900,
    }
}
"""Users' outcomes by the application's feed, which is waited for; ``METRICS``: by the minute."""
METRICS = {
    "gate": SPEC["gate"]
    | {"users_seconds": 60, "users_seen_seconds": 60, "settle_seconds": 20, "give_up_seconds": 900},
    # Minutes are taken some time after they have ended, and not every one has an answer.
    "stages": [stage | {"max_seconds": 300} for stage in SPEC["stages"]],
}
ALARM = "web-errors"
LONG_STAGE = {
    "stages": [stage | {"min_seconds": 100} if stage["weight"] == 10 else stage for stage in SPEC["stages"]]
}
NAMELESS = {"version": {"path": "/", "from": "none"}}
"""Its answers name no version."""
OF_OWNER = {"traffic": [{"rule": RULE}]}
"""The production rule is its owner's own, and named by its ARN."""
TWO_RULES = {
    "traffic": [
        {"listener": LISTENER, "priority": PRIORITY, "target_group": TARGET_GROUP},
        {"listener": OTHER_LISTENER, "priority": PRIORITY, "target_group": OTHER_GROUP},
    ]
}
"""By a listener more clients come, to a second port of the same tasks; both rules' weights move together."""
TWO_OF_OWNER = {"traffic": [{"rule": RULE}, {"rule": OTHER_RULE}]}
FOUR = {"tasks": 4}
WARM = {"retire": SPEC["retire"] | {"warm_seconds": 40}}
PATIENT = {"gate": SPEC["gate"] | {"give_up_seconds": 900}}
"""What the load balancer shows minutes late is no reason to give a candidate up that was stepped back."""
SCALING = {name: name == SUSPENDED[2] for name in SUSPENDED}
"""How the live slot is scaled before a deployment: one kind of scaling is suspended already."""

Happening = Callable[[World], object]


@dataclass(frozen=True)
class Scenario:
    """A service, and what happens to it.

    ``begins`` sets it going. ``then`` maps points (see ``faults.py``) to what happens when the scenario comes
    by them. ``released`` are the versions that were released before, the last one is live. ``serves`` is what
    must be live in the end where nothing goes wrong (None: nothing), ``or_else`` what may be where calls take
    long. ``runs``: what the owner's own service ran before Crossfade was there; None: nothing. ``spec``
    changes the service's spec. ``always``: what strikes each time at calls, such as
    ``write_report:PutObject``. ``uncertified``: no certificate can be written. ``gaps``: the scenario itself
    leaves clients without a target for a while. ``scales``: others change how many tasks a slot is to run.
    ``faulted``: faults are placed at its calls and states; not where it goes as another scenario does, and
    only what it is disturbed by is new.
    """

    name: str
    begins: Happening
    serves: str | None
    then: Mapping[str, Happening] = field(default_factory=dict)
    or_else: str | None = None
    released: tuple[str, ...] = ("0.0.1",)
    runs: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    always: Mapping[str, str] = field(default_factory=dict)
    uncertified: bool = False
    gaps: bool = False
    scales: bool = False
    faulted: bool = True


def ask(image: Image) -> Happening:
    """A person asks for a release that was pushed before."""

    def happen(world: World) -> None:
        world.registry.push(image)
        asked = {"service": "web", "image_tag": image.tag}
        world.machines.start("deploy", asked, f"release-{image.tag}")

    return happen


def ask_again(image: Image, name: str = "again") -> Happening:
    """A person asks for a release that is there already."""
    asked = {"service": "web", "image_tag": image.tag}
    return lambda world: world.machines.start("deploy", asked, name)


def by_hand(**given: Any) -> Happening:
    """A person starts a deployment with more than an image, or with another wish."""
    return lambda world: world.machines.start("deploy", {"service": "web", **given}, "by-hand")


def hand_back(world: World) -> None:
    """A person lets the service leave: what is live goes to its owner's own ECS service."""
    world.machines.start("deploy", {"service": "web", "leave": True}, "leave")


def push(image: Image) -> Happening:
    """An image is pushed, and ECR's event starts its release."""
    return lambda world: world.push(image)


def push_tags(image: Image, *tags: str) -> Happening:
    """An image is pushed under several tags, one after the other, as CI does."""

    def happen(world: World) -> None:
        for n, tag in enumerate(tags):
            world.clock.after(3 * n, world.push, image, tag)

    return happen


def told_twice(begins: Happening) -> Happening:
    """Every event comes twice."""

    def happen(world: World) -> None:
        world.bus.copies = 2
        begins(world)

    return happen


def roll_back(world: World) -> None:
    """A person starts a rollback."""
    world.machines.start("rollback", {"service": "web"}, "by-hand")


def allow_restore(world: World) -> None:
    """Whoever has taken the right away that RestoreWeights needs gives it back."""
    world.faults.allow("restore_weights:GetItem")


def stop(world: World) -> None:
    """A person stops the deployment's execution."""
    world.executions("deploy")[-1].stop()


def stop_and_push(world: World) -> None:
    """A person stops the deployment's execution, and pushes what mends it."""
    stop(world)
    world.push(NEXT)


def listed_late(begins: Happening) -> Happening:
    """What is told of executions lags behind them by a minute."""

    def happen(world: World) -> None:
        world.listing_seconds = (55.0, 60.0)
        begins(world)

    return happen


def kill_probe(world: World) -> None:
    """The probe dies."""
    world.ecs.kill_probe()


def unreached(begins: Happening) -> Happening:
    """The spec's production_url has a port on which nobody listens."""

    def happen(world: World) -> None:
        world.refused = True
        begins(world)

    return happen


def lose_blue(world: World) -> None:
    """All tasks of the blue slot die, and its new ones cannot start any more."""
    world.ecs.lose("web-blue")


def break_down(slot: Slot, status: int | None = 502, every: int = 1) -> Happening:
    """A slot's tasks run on, and one in ``every`` request gets this status; None: they are well again."""
    return lambda world: world.balancer.break_down(world.spec.target_groups.of(slot), status, every)


def spell(slot: Slot, seconds: float) -> Happening:
    """Every request to a slot fails for a while; its tasks run on."""

    def happen(world: World) -> None:
        group = world.spec.target_groups.of(slot)
        world.balancer.break_down(group, 500, 1)
        well = partial(world.balancer.break_down, group, None, 1)
        world.clock.after(seconds, world.writes.by_owner, well)

    return happen


def after(happens: Happening, begins: Happening) -> Happening:
    """Before it begins, something else happens."""

    def happen(world: World) -> None:
        happens(world)
        begins(world)

    return happen


def raise_alarm(world: World) -> None:
    """The service's alarm goes to ALARM."""
    world.cloudwatch.set_alarm(ALARM, "ALARM")


def pass_alarm(seconds: float) -> Happening:
    """After so long the service's alarm is over."""
    return lambda world: world.clock.after(
        seconds, world.writes.by_owner, world.cloudwatch.set_alarm, ALARM, "OK"
    )


def grow(slot: Slot, by: int = 1) -> Happening:
    """A slot's load rises, and an alarm of its scaling policy asks for more tasks; ``by`` below 0: fewer."""
    return lambda world: world.scaling.alarm(world.spec.slot_service(slot), by)


def ask_for(slot: Slot, count: int) -> Happening:
    """The service's owner sets a slot's count by hand."""
    return lambda world: world.ecs.ask_by_hand(world.spec.slot_service(slot), count)


def lack(seconds: float, *names: str, room: int = 0) -> Happening:
    """Fargate has no place for tasks of these services, or for ``PROBES``, for a while."""

    def happen(world: World) -> None:
        for name in names:
            world.ecs.lack(name, seconds, room=room)

    return happen


def short(begins: Happening, seconds: float, *names: str, room: int = 0) -> Happening:
    """From before it begins there is no place for tasks of these."""

    def happen(world: World) -> None:
        lack(seconds, *names, room=room)(world)
        begins(world)

    return happen


def scaled(begins: Happening) -> Happening:
    """Before it begins: all there is is scaled automatically; what is idle stands still, as it was left."""

    def happen(world: World) -> None:
        _scale(world)
        begins(world)

    return happen


def _scale(world: World) -> None:
    for name, service in world.ecs.services.items():
        if name != NEIGHBOUR:
            weighted = world.has_weight(service)
            world.scaling.was_registered(
                f"service/web/{name}",
                MinCapacity=1,
                MaxCapacity=4,
                SuspendedState=SCALING if weighted else dict.fromkeys(SUSPENDED, True),
            )


def with_login(begins: Happening) -> Happening:
    """Before it begins: the production rule's owner has put a login before its forward, and more."""

    def happen(world: World) -> None:
        secret = login(ClientSecret="secret")  # as its owner writes it; nobody is told it
        world.balancer.enrich([secret], *MATCHING)
        begins(world)

    return happen


MATCHING: tuple[list[Any], list[Any]] = (
    [
        {"Field": "host-header", "HostHeaderConfig": {"Values": ["web.example"]}},
        {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}},
    ],
    [{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/v1", "Replace": "/"}]}}],
)
"""Conditions and transforms that a rule's owner gave it."""
OLD, GOOD, WORSE, NEXT = Image("0.0.1"), Image("0.0.2"), Image("0.0.3", "worse"), Image("0.0.4")
NEWEST, UNFIT = Image("0.0.5"), Image("0.0.3", "unfit")
_TWICE = ("0.0.1", "0.0.2")
_ALL = (
    Scenario("healthy", ask(GOOD), "0.0.2"),
    Scenario("worse", push(WORSE), "0.0.1"),
    Scenario("first", ask(OLD), "0.0.1", released=()),
    Scenario("crashes-late", ask(Image("0.0.3", "crashes-late")), "0.0.1"),
    Scenario("wrong", ask(Image("0.0.3", "wrong")), "0.0.1"),
    Scenario("crashes", ask(Image("0.0.3", "crashes")), "0.0.1"),
    Scenario("scaled-worse", scaled(ask(WORSE)), "0.0.2", released=_TWICE),
    # The live slot is the green one. It waits longer for its stop than what is read of it may be old.
    Scenario(
        "grows",
        scaled(ask(NEXT)),
        "0.0.4",
        {"deploy.VerifyCandidate#1": grow("green"), "deploy.RetireStable#1": ask_for("green", 4)},
        released=_TWICE,
        spec={"retire": SPEC["retire"] | {"drain_seconds": 100, "deadline_seconds": 250}},
        scales=True,
    ),
    Scenario(
        "queued",
        push(GOOD),
        "0.0.5",
        {"deploy.LaunchCandidate#1": push(NEXT), "deploy.VerifyCandidate#1": push(NEWEST)},
    ),
    Scenario(
        "superseded",
        push(GOOD),
        "0.0.4",
        {"deploy.WatchStage#1": push(NEXT)},
        spec={"when_busy": "supersede"},
        or_else="0.0.4",  # where its plan takes long, the older release has been promoted before
    ),
    Scenario("warm", ask(GOOD), "0.0.2", spec=WARM),
    Scenario("back-out", ask(GOOD), "0.0.1", {"deploy.KeepWarm#1": roll_back}, spec=WARM),
    # A rollback whose first call takes as long as the rest of the deployment comes too late.
    Scenario("by-hand", ask(GOOD), "0.0.1", {"deploy.WatchStage#1": roll_back}, or_else="0.0.2"),
    # Rolled back by hand, and asked for again at once: by then it is another request.
    Scenario(
        "asked-again",
        ask(GOOD),
        "0.0.2",
        {"deploy.WatchStage#1": roll_back, "rollback.RestoreWeights#1": ask_again(GOOD)},
    ),
    # The version of before is asked for while it is warm: the short way.
    Scenario(
        "warm-asked-for",
        ask(GOOD),
        "0.0.1",
        {"deploy.KeepWarm#1": ask_again(OLD)},
        spec=WARM,
        or_else="0.0.1",
    ),
    # In the middle of the last stage a person asks for what is live: it is to stay.
    Scenario(
        "live-asked-for",
        push(GOOD),
        "0.0.1",
        {"deploy.WatchStage#2": ask_again(OLD)},
        or_else="0.0.2",  # where its plan takes long, the other release has been promoted before
        spec={"when_busy": "reject"},
    ),
    Scenario("probe-dies", ask(GOOD), "0.0.2", {"deploy.WatchStage#1": kill_probe}),
    # Both probes die in a stage whose proof was reached before; it ends for no other reason than its minimum.
    Scenario(
        "probes-die",
        ask(GOOD),
        "0.0.1",
        {"deploy.WatchStage#2": kill_probe, "deploy.WatchStage#4": kill_probe},
        spec=LONG_STAGE,
        or_else="0.0.2",
    ),
    # Its rule goes first, and its tasks only when the load balancer has surely followed.
    Scenario(
        "first-unreached",
        unreached(ask(OLD)),
        None,
        released=(),
        spec={"retire": SPEC["retire"] | {"drain_seconds": 15}},
    ),
    Scenario("told-twice", told_twice(push(WORSE)), "0.0.1"),
    # The candidate is judged by itself, and takes all traffic in one step.
    Scenario("stable-dies", ask(GOOD), "0.0.2", {"deploy.WatchStage#1": lose_blue}, gaps=True),
    Scenario("stable-dead", after(lose_blue, push(GOOD)), "0.0.2", gaps=True),
    # S3 takes no report; the function that writes it dies, as one does that needs more memory than it has.
    Scenario(
        "unreported",
        push(GOOD),
        "0.0.4",
        {"deploy.LaunchCandidate#1": push(NEXT)},
        always={"write_report:PutObject": "refused"},
        uncertified=True,
    ),
    Scenario(
        "report-dies",
        push(WORSE),
        "0.0.1",
        always={"write_report:GetItem": "killed-before"},
        uncertified=True,
    ),
    # Rollback after rollback fails for want of a right, a person's as well, until somebody gives it back.
    Scenario(
        "denied",
        push(WORSE),
        "0.0.1",
        {"rollback.WaitLonger#1": roll_back, "rollback.RollbackFailed#3": allow_restore},
        always={"restore_weights:GetItem": "refused"},
    ),
    Scenario("listed-late", listed_late(push(GOOD)), "0.0.4", {"deploy.WatchStage#1": stop_and_push}),
    # The deployment has just begun, and Step Functions does not know it yet when a person rolls it back.
    Scenario(
        "unlisted", listed_late(ask(GOOD)), "0.0.1", {"deploy.LaunchCandidate#1": roll_back}, or_else="0.0.2"
    ),
    Scenario("fed", ask(GOOD), "0.0.2", spec=FEED),
    Scenario("fed-unfit", push(UNFIT), "0.0.1", spec=FEED),
    Scenario("metered-unfit", push(UNFIT), "0.0.1", spec=METRICS),
    Scenario(
        "alarmed",
        ask(GOOD),
        "0.0.1",
        {"deploy.WatchStage#1": raise_alarm},
        spec=PATIENT | {"alarms": [ALARM]},
    ),
    # A spell of failures, with some of the clients on it, and with all of them and the old slot suspended.
    Scenario("spell", ask(GOOD), "0.0.2", {"deploy.WatchStage#1": spell("green", 6)}, spec=PATIENT),
    Scenario(
        "spell-late",
        scaled(ask(NEXT)),
        "0.0.4",
        {"deploy.RetireStable#1": spell("blue", 6)},
        released=_TWICE,
        spec=PATIENT | {"retire": SPEC["retire"] | {"drain_seconds": 60}},
    ),
    # It steps back, is held, and climbs when the alarm is over.
    Scenario(
        "alarm-over",
        ask(GOOD),
        "0.0.2",
        {"deploy.WatchStage#1": raise_alarm, "deploy.StepBack#1": pass_alarm(8)},
        spec=PATIENT | LONG_STAGE | {"alarms": [ALARM]},
    ),
    # From all the traffic, with the old slot suspended; it may grow again.
    Scenario(
        "alarm-over-late",
        scaled(ask(NEXT)),
        "0.0.4",
        {"deploy.RetireStable#1": raise_alarm, "deploy.StepBack#1": pass_alarm(8)},
        released=_TWICE,
        spec=PATIENT | {"alarms": [ALARM], "retire": SPEC["retire"] | {"drain_seconds": 60}},
    ),
    # All clients have the new version, and the old one still stands by.
    Scenario(
        "alarmed-late",
        ask(GOOD),
        "0.0.1",
        {"deploy.RetireStable#1": raise_alarm},
        # Where SuspendStable takes long, clients have left by then, and the release is promoted at once.
        or_else="0.0.2",
        spec={"alarms": [ALARM], "retire": SPEC["retire"] | {"drain_seconds": 60}},
    ),
    # Fargate has room for the probe after a while, and for the candidate when ECS has given it up.
    Scenario(
        "no-room",
        short(ask(GOOD), 15, PROBES),
        "0.0.2",
        {"deploy.ProbeStarted#1": lack(45, "web-green")},
    ),
    # It answers with the tag that comes last.
    Scenario("three-tags", push_tags(NEWEST, "0.5.0", "0.5.1", "0.0.5"), "0.0.5"),
    Scenario("forced", by_hand(force=True), "0.0.1"),
    Scenario("older", by_hand(release=1), "0.0.1", released=_TWICE),
    Scenario("four", ask(GOOD), "0.0.2", spec=FOUR, faulted=False),
    Scenario("four-worse", push(WORSE), "0.0.1", spec=FOUR, faulted=False),
    Scenario(
        "four-by-hand",
        ask(GOOD),
        "0.0.1",
        {"deploy.WatchStage#1": roll_back},
        or_else="0.0.2",
        spec=FOUR,
        faulted=False,
    ),
    Scenario("nameless", ask(GOOD), "0.0.2", spec=NAMELESS),
    Scenario("nameless-worse", push(WORSE), "0.0.1", spec=NAMELESS),
    # Up to all traffic and back, with a rule that is not Crossfade's alone.
    Scenario(
        "login",
        with_login(ask(GOOD)),
        "0.0.1",
        {"deploy.RetireStable#1": raise_alarm},
        # Where SuspendStable takes long, clients have left by then, and the release is promoted at once.
        or_else="0.0.2",
        spec={"alarms": [ALARM], "retire": SPEC["retire"] | {"drain_seconds": 60}},
    ),
    # The owner's service runs with all the traffic, and no deployment of Crossfade was ever there.
    Scenario("takeover", ask(GOOD), "0.0.2", released=(), runs="0.0.1", spec=OF_OWNER),
    Scenario("takeover-worse", push(WORSE), "0.0.1", released=(), runs="0.0.1", spec=OF_OWNER),
    # As for a slot that grows, it waits longer for its stop than what is read of it may be old.
    Scenario(
        "takeover-grows",
        scaled(ask(GOOD)),
        "0.0.2",
        {"deploy.VerifyCandidate#1": grow("green")},
        released=(),
        runs="0.0.1",
        spec=OF_OWNER | {"retire": SPEC["retire"] | {"drain_seconds": 100, "deadline_seconds": 250}},
        scales=True,
    ),
    # It is kept warm: a person goes back to it, or the next release comes, which is to have its slot.
    Scenario(
        "takeover-back-out",
        ask(GOOD),
        "0.0.1",
        {"deploy.KeepWarm#1": roll_back},
        released=(),
        runs="0.0.1",
        spec=OF_OWNER | WARM,
    ),
    Scenario(
        "takeover-next",
        ask(GOOD),
        "0.0.4",
        {"deploy.KeepWarm#1": push(NEXT)},
        released=(),
        runs="0.0.1",
        spec=OF_OWNER | WARM,
    ),
    # Two rules on two listeners lead to two ports of the same tasks, and may be half-done at any moment.
    Scenario("two-rules", ask(GOOD), "0.0.2", spec=TWO_RULES),
    Scenario("two-rules-worse", push(WORSE), "0.0.1", spec=TWO_RULES),
    Scenario(
        "two-rules-alarmed",
        ask(GOOD),
        "0.0.2",
        {"deploy.WatchStage#1": raise_alarm, "deploy.StepBack#1": pass_alarm(8)},
        spec=PATIENT | LONG_STAGE | TWO_RULES | {"alarms": [ALARM]},
    ),
    Scenario("two-rules-takeover", push(WORSE), "0.0.1", released=(), runs="0.0.1", spec=TWO_OF_OWNER),
    # Back into the owner's service, from the one slot and from the other.
    Scenario("leave", hand_back, "0.0.2", released=("0.0.2",), runs="0.0.1", spec=OF_OWNER),
    Scenario(
        "leave-alarmed",
        hand_back,
        "0.0.4",
        {"deploy.RetireStable#1": raise_alarm},
        released=("0.0.2", "0.0.4"),
        runs="0.0.1",
        # Where SuspendStable takes long, clients have left by then, and the release is promoted at once.
        or_else="0.0.4",
        spec=OF_OWNER | {"alarms": [ALARM], "retire": SPEC["retire"] | {"drain_seconds": 60}},
    ),
    Scenario("leave-green", hand_back, "0.0.2", released=_TWICE),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}


def begun(scenario: Scenario, placed: Mapping[str, str] | None = None) -> World:
    """A world in which the scenario is about to happen, with faults placed at points of it.

    Jitter, and what AWS takes its time for, is drawn by the scenario's name, so that a case goes as the
    scenario unharmed does, up to its fault.
    """
    world = before(scenario)
    world.random.seed(scenario.name)
    world.weather.seed(scenario.name)
    owner = world.writes.by_owner
    then = {point: partial(owner, happening, world) for point, happening in scenario.then.items()}
    change = partial(owner, partial(respec, world.parameters, world.spec_name))
    world.disturber = Disturber(world)
    world.faults = Faults(world.clock, placed, then, scenario.always, change, world.disturber, world.random)
    world.writes.begin()
    world.clock.after(0, owner, scenario.begins, world)
    return world


def before(scenario: Scenario) -> World:
    """A world in which what the scenario says was released before, and nothing is under way."""
    spec = json.dumps(dict(scenario.spec), sort_keys=True)
    return thaw(_before(spec, scenario.released, scenario.runs))


@cache
def _before(spec: str, released: tuple[str, ...], runs: str | None) -> bytes:
    """A frozen world in which these versions were released, one after the other."""
    world = World(document(**SPEC | json.loads(spec)), Image(runs) if runs else None)
    if runs:
        world.run()
    world.cloudwatch.set_alarm(ALARM, "OK")
    for tag in released:
        ask(Image(tag))(world)
        with inhabited(world):
            world.run()
    return world.frozen()
