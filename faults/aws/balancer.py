"""The load balancer: listener rules, target groups, the health of targets, and where requests go."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from faults.aws.answer import AwsError
from faults.aws.history import History
from faults.aws.images import Image
from faults.aws.pattern import PRIORITY

if TYPE_CHECKING:
    from faults.world import World

HEALTH_SECONDS = 2.0
"""From registration to the first passed health checks."""
DRAIN_SECONDS = 3.0
"""The deregistration delay."""
LAG_SECONDS = (1.0, 2.0)
"""Until a change of the weights reaches clients, mostly."""
LONG_LAG_SECONDS = 10.0
"""Until it reaches them at the latest: the load balancer takes in changes of its rules by and by."""
LONG_LAGS = 0.1
"""How many of the changes take longer than ``LAG_SECONDS``."""
OIDC = "authenticate-oidc"
NOTHING: Any = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}

_STACKS = {"aws:cloudformation:stack-name": "web"}
"""The tags of what a stack has made."""
Rule = dict[str, Any]
Weights = dict[str, int]
"""Weight by target group; empty where there is no production rule."""


class Target(NamedTuple):
    """A task that gets requests, by its address, and what it runs."""

    address: str
    image: Image


class Breakdown(NamedTuple):
    """Of a group's requests one in ``every`` gets this status; None: what its tasks run answers."""

    of_all: int | None = None
    every: int = 1

    def status(self, n: int) -> int | None:
        """What the n-th request gets, if not what the task runs answers."""
        return None if n % self.every else self.of_all


class Entry:
    """A listener by which clients come, and the weights of the production rule there.

    ``view`` is what its rules are called, whose view may lag. ``weights`` are those that the rule has,
    ``served`` those that clients meet, and when they will. ``listener`` is None while it is deleted.
    """

    def __init__(self, view: str, listener: str) -> None:
        self.view, self.listener = view, cast("str | None", listener)
        self.weights: History[Weights] = History({})
        self.served: History[Weights] = History({})
        self.held = 0.0


class Balancer:
    """Operations of ``elbv2`` over the service's listeners and, for each of its ports, three target groups:
    the owner's, and one for each slot.

    ``previews``: the target group of each header by which one slot is met. ``tags`` by the resource's ARN.
    """

    def __init__(self, world: World) -> None:
        routes = world.own.routes
        found = [(one.blue, one.green, one.pattern) for one in (route.target_groups for route in routes)]
        groups = tuple(dict.fromkeys(group for port in found for group in port))
        listeners = dict.fromkeys(route.listener for route in routes)
        names = ["rules", *(f"rules {n}" for n in range(2, len(listeners) + 1))]
        self.entries = [Entry(name, listener) for name, listener in zip(names, listeners, strict=True)]
        """The first one is that by which the probe asks."""
        self._views = dict(zip(listeners, names, strict=True))
        self.healthy: dict[str, History[tuple[Target, ...]]] = {group: History(()) for group in groups}
        self.broken: dict[str, History[Breakdown]] = {group: History(Breakdown()) for group in groups}
        self.previews: dict[str, str] = {}
        self.tags: dict[str, dict[str, str]] = {group: _STACKS for group in groups}
        self._world, self._priority = world, str(PRIORITY)
        self._rules: dict[str, Rule] = {}
        self._secrets: set[str] = set()
        """Rules that know a login's secret."""
        self.enriched: Rule | None = None
        """The production rule as its owner has left it; None while the listener is deleted."""
        self._targets: dict[str, dict[str, tuple[str, Image]]] = {group: {} for group in groups}
        self._created = 3

    @property
    def listener(self) -> str | None:
        """The first entry's; None while the service's listener is deleted."""
        return self.entries[0].listener

    @property
    def weights(self) -> History[Weights]:
        """Those of the first entry's production rule."""
        return self.entries[0].weights

    @property
    def served(self) -> History[Weights]:
        """Those that clients of the first entry meet."""
        return self.entries[0].served

    def entry(self, arn: str) -> Entry | None:
        """The entry that a listener, or one of its rules, belongs to."""
        rest = arn.replace(":listener-rule/", ":listener/")
        return next(
            (one for one in self.entries if one.listener and f"{rest}/".startswith(f"{one.listener}/")), None
        )

    # ---- targets, as ECS registers them --------------------------------------------------------------------

    def register(self, groups: Iterable[str], address: str, image: Image) -> None:
        """A task has come up."""
        for group in groups:
            self._set(group, address, ("initial", image))
        if image.behaviour != "unhealthy":
            self._world.clock.after(HEALTH_SECONDS, self._passed, tuple(groups), address)

    def deregister(self, groups: Iterable[str], address: str) -> None:
        """A task is about to stop: no new requests from now on."""
        for group in groups:
            if address in self._targets[group]:
                self._set(group, address, ("draining", self._targets[group][address][1]))
                self._world.clock.after(DRAIN_SECONDS, self._targets[group].pop, address)
        self._world.watcher.look()

    def states(self, group: str) -> dict[str, str]:
        """The state of each target of a group, by its address."""
        return {address: state for address, (state, _) in self._targets[group].items()}

    def exposed(self, group: str, address: str, moment: float) -> bool:
        """Whether clients were sent to a healthy target by then."""
        targets = self.healthy[group]
        healthy = (
            since
            for since, found in zip(targets.moments, targets.values, strict=True)
            if any(target.address == address for target in found)
        )
        began = min(healthy, default=moment)
        return any(
            served.at(began).get(group, 0)
            or any(
                began < since <= moment and weights.get(group, 0)
                for since, weights in zip(served.moments, served.values, strict=True)
            )
            for served in (entry.served for entry in self.entries)
        )

    def _passed(self, groups: tuple[str, ...], address: str) -> None:
        for group in groups:
            state, image = self._targets[group].get(address, ("gone", None))
            if state == "initial" and image:
                self._set(group, address, ("healthy", image))
        self._world.watcher.look()

    def _set(self, group: str, address: str, target: tuple[str, Image]) -> None:
        self._targets[group][address] = target
        healthy = tuple(
            Target(address, image)
            for address, (state, image) in self._targets[group].items()
            if state == "healthy"
        )
        if healthy != self.healthy[group].last:
            self.healthy[group].set(self._world.clock.now, healthy)

    def break_down(self, group: str, status: int | None, every: int = 1) -> None:
        """From now on one in ``every`` request to a group's tasks is answered so; None: they are well again.

        502: their processes hang up, and their health checks fail as well.
        """
        self.broken[group].set(self._world.clock.now, Breakdown(status, every))
        before, after = ("healthy", "unhealthy") if status == 502 else ("unhealthy", "healthy")
        for address, (state, image) in list(self._targets[group].items()):
            if state == before:
                self._set(group, address, (after, image))
        self._world.watcher.look()

    def enrich(self, before: list[Any], conditions: list[Any], transforms: list[Any]) -> None:
        """The production rule's owner puts actions before its forward, and changes what it applies to."""
        rule = self.production_rule()
        forward = {**rule["Actions"][-1], "Order": len(before) + 1}
        self.modify_rule(
            RuleArn=rule["RuleArn"],
            Actions=[*before, forward],
            Conditions=conditions,
            Transforms=transforms,
        )
        self.enriched = self.production_rule()

    def lose_listener(self) -> None:
        """The listener is deleted, and every rule with it."""
        self._weigh(self.entries[0], {})
        self.enriched = None
        self.previews.clear()
        self._rules.clear()
        self._secrets.clear()
        self.entries[0].listener = None

    def new_listener(self, listener: str) -> None:
        """There is a listener again, under an ARN of its own, as each one has."""
        self.entries[0].listener = listener
        self._views[listener] = self.entries[0].view

    def listed(self) -> list[tuple[str, Rule]]:
        """Every rule that there is, with its listener; none of one that is deleted."""
        there = [one.listener for one in self.entries if one.listener]
        return [(arn, rule) for arn in there for rule in self.describe_rules(ListenerArn=arn)["Rules"]]

    def production_rule(self) -> Rule:
        """The first entry's production rule as DescribeRules tells it."""
        first = self.entries[0]
        return next(rule for rule in self._rules.values() if self._is_production(rule, first))

    def _is_production(self, rule: Rule, entry: Entry) -> bool:
        return rule["Priority"] == self._priority and self.entry(rule["RuleArn"]) is entry

    # ---- what is consistent only in the end ----------------------------------------------------------------

    def snapshot(self) -> Self:
        """The rules as they are now; targets and their health go on."""
        frozen = copy.copy(self)
        frozen._rules = dict(self._rules)
        frozen.entries = [copy.copy(entry) for entry in self.entries]
        return frozen

    def hold(self, name: str, until: float) -> None:
        """The next change of the weights reaches clients as late as it ever does; see ``_weigh``."""
        next(entry for entry in self.entries if entry.view == name).held = until

    def view(self, request: Mapping[str, Any]) -> str | None:
        """Which rules a request reads or writes: those of an entry's listener, also of one that is gone."""
        arn = str(request.get("RuleArn") or request.get("ListenerArn")).replace(
            ":listener-rule/", ":listener/"
        )
        return next((name for known, name in self._views.items() if f"{arn}/".startswith(f"{known}/")), None)

    def half(self, operation: str, request: Mapping[str, Any]) -> tuple[str, ...]:
        """Which of several production rules is written, and its weights: after each it is half-done."""
        entry = self.entry(request["RuleArn"]) if operation == "ModifyRule" else None
        if entry is None or len(self.entries) == 1:
            return ()
        return entry.view, " ".join(map(str, _weights(request["Actions"][-1]).values()))

    def put_rule(
        self, name: str, priority: int, conditions: list[Any], actions: list[Any], entry: int = 0
    ) -> str:
        """A rule is there from before; returns its ARN."""
        at = self.entries[entry]
        assert at.listener
        arn = f"{at.listener.replace(':listener/', ':listener-rule/')}/{name}"
        self._rules[arn] = {
            "RuleArn": arn, "Priority": str(priority), "Conditions": conditions,
            "Actions": [_told(action, False) for action in actions], "IsDefault": False, "Transforms": [],
        }  # fmt: skip
        weights = _weights(actions[-1])
        self._find_previews(conditions, weights)
        self.tags[arn] = _STACKS
        if priority == PRIORITY:
            now = self._world.clock.now
            at.weights.set(now, weights)
            at.served.set(now, weights)
            self.enriched = self.production_rule()
        return arn

    # ---- the API -------------------------------------------------------------------------------------------

    def describe_rules(self, *, ListenerArn: str) -> dict[str, Any]:
        """The listener's rules, the default one last."""
        entry = self._entry(ListenerArn)
        default = {
            "RuleArn": f"{ListenerArn.replace(':listener/', ':listener-rule/')}/0",
            "Priority": "default", "Conditions": [], "Actions": [NOTHING], "IsDefault": True,
        }  # fmt: skip
        found = [dict(rule) for arn, rule in self._rules.items() if self.entry(arn) is entry]
        return {"Rules": [*found, default]}

    def create_rule(
        self,
        *,
        ListenerArn: str,
        Priority: int,
        Conditions: list[Any],
        Actions: list[Any],
        Transforms: list[Any] | None = None,
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        """A new rule; its ARN is new each time."""
        entry = self._entry(ListenerArn)
        if any(
            rule["Priority"] == str(Priority) and self.entry(arn) is entry
            for arn, rule in self._rules.items()
        ):
            raise AwsError("PriorityInUse", f"Priority '{Priority}' is currently in use")
        self._created += 1
        arn = f"{ListenerArn.replace(':listener/', ':listener-rule/')}/{self._created}"
        rule = {"RuleArn": arn, "Priority": str(Priority), "IsDefault": False}
        self._write({**rule, "Conditions": Conditions, "Actions": Actions, "Transforms": Transforms or []})
        self.tags[arn] = {tag["Key"]: tag["Value"] for tag in Tags or []} or _STACKS
        return {"Rules": [dict(self._rules[arn])]}

    def modify_rule(
        self,
        *,
        RuleArn: str,
        Actions: list[Any] | None = None,
        Conditions: list[Any] | None = None,
        Transforms: list[Any] | None = None,
    ) -> dict[str, Any]:
        """Replace each list that is given, as a whole; the others stay."""
        given = {"Actions": Actions, "Conditions": Conditions, "Transforms": Transforms}
        self._write(self._find(RuleArn) | {name: value for name, value in given.items() if value})
        return {"Rules": [dict(self._rules[RuleArn])]}

    def delete_rule(self, *, RuleArn: str) -> dict[str, Any]:
        """From now on the listener's default action answers."""
        entry = self.entry(RuleArn)
        if self._find(RuleArn)["Priority"] == self._priority and entry:
            self._weigh(entry, {})
        del self._rules[RuleArn]
        self._secrets.discard(RuleArn)
        return {}

    def describe_target_groups(
        self, *, Names: list[str] | None = None, TargetGroupArns: list[str] | None = None
    ) -> dict[str, Any]:
        """Target groups by name or ARN; if one of them is not there, none."""
        found = [
            arn
            for arn in self._targets
            if arn.split("/")[1] in (Names or ()) or arn in (TargetGroupArns or ())
        ]
        if len(found) < len(Names or TargetGroupArns or ()):
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        return {"TargetGroups": [self._described(arn) for arn in found]}

    def _described(self, group: str) -> dict[str, Any]:
        """Whether a load balancer uses it is told by the rules."""
        balancer = self._world.own.listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0]
        used = {arn for rule in self._rules.values() for arn in _weights(rule["Actions"][-1])}
        return {
            "TargetGroupArn": group,
            "TargetGroupName": group.split("/")[1],
            "Protocol": "HTTP",
            "Port": 8080,
            "VpcId": "vpc-1",
            "TargetType": "ip",
            "HealthCheckPath": "/version",
            "LoadBalancerArns": [balancer] if group in used else [],
        }

    def describe_listeners(self, *, LoadBalancerArn: str) -> dict[str, Any]:
        """The listeners of a load balancer that are not deleted."""
        found = {"LoadBalancerArn": LoadBalancerArn, "Protocol": "HTTP"}
        there = [(80 + place, one.listener) for place, one in enumerate(self.entries) if one.listener]
        return {"Listeners": [{**found, "Port": port, "ListenerArn": arn} for port, arn in there]}

    def describe_tags(self, *, ResourceArns: list[str]) -> dict[str, Any]:
        """The tags of rules and target groups."""
        return {
            "TagDescriptions": [
                {
                    "ResourceArn": arn,
                    "Tags": [{"Key": key, "Value": value} for key, value in self.tags[arn].items()],
                }
                for arn in ResourceArns
            ]
        }

    def describe_target_health(self, *, TargetGroupArn: str) -> dict[str, Any]:
        """Every target of a group and its state."""
        if TargetGroupArn not in self._targets:
            raise AwsError("TargetGroupNotFound", TargetGroupArn)
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": address, "Port": 8080}, "TargetHealth": {"State": state}}
                for address, state in self.states(TargetGroupArn).items()
            ]
        }

    def describe_target_group_attributes(self, *, TargetGroupArn: str) -> dict[str, Any]:
        """Attributes of a group, as far as they matter here."""
        if TargetGroupArn not in self._targets:
            raise AwsError("TargetGroupNotFound", TargetGroupArn)
        return {"Attributes": [{"Key": "stickiness.enabled", "Value": "false"}]}

    def _entry(self, listener: str) -> Entry:
        found = next((one for one in self.entries if one.listener == listener), None)
        if found is None:
            raise AwsError("ListenerNotFound", listener)
        return found

    def _find(self, arn: str) -> dict[str, Any]:
        if arn not in self._rules:
            raise AwsError("RuleNotFound", f"One or more rules not found: {arn}")
        return self._rules[arn]

    def _write(self, rule: Rule) -> None:
        arn, actions = rule["RuleArn"], sorted(rule["Actions"], key=lambda action: action.get("Order", 1))
        weights = _weights(actions[-1])
        if odd := weights.keys() - self._targets.keys():
            raise AwsError("TargetGroupNotFound", str(odd))
        told = [_told(action, arn in self._secrets) for action in actions]
        if any(action["Type"] == OIDC for action in actions):
            self._secrets.add(arn)
        else:
            self._secrets.discard(arn)
        self._rules[arn] = {**rule, "Actions": told}
        self._find_previews(rule["Conditions"], weights)
        entry = self.entry(arn)
        if rule["Priority"] == self._priority and entry:
            self._weigh(entry, weights)

    def _find_previews(self, conditions: list[Any], weights: Weights) -> None:
        for condition in conditions:
            for value in condition.get("HttpHeaderConfig", {}).get("Values", []):
                self.previews[value] = next(iter(weights))

    def _weigh(self, entry: Entry, weights: Weights) -> None:
        clock, served = self._world.clock, entry.served
        entry.weights.set(clock.now, weights)
        lag = LONG_LAG_SECONDS if entry.held > clock.now else _lag(self._world.weather)
        # A change does not overtake the one before it.
        served.set(max(clock.now + lag, served.moments[-1]), weights)
        self._world.watcher.look()
        clock.after(served.moments[-1] - clock.now, self._world.watcher.look, background=True)


def share(weights: Weights, group: str) -> int:
    """The share of a group in the requests, in percent."""
    return 100 * weights.get(group, 0) // (sum(weights.values()) or 1)


def _weights(action: Rule) -> Weights:
    """The weight of each group that an action forwards to."""
    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
    if "TargetGroupArn" in action:
        if any(group["TargetGroupArn"] != action["TargetGroupArn"] for group in groups):
            raise AwsError("InvalidLoadBalancerAction", "TargetGroupArn beside other target groups")
        return {action["TargetGroupArn"]: 1}
    return {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}


def _told(action: Rule, has_secret: bool) -> Rule:
    """An action as DescribeRules tells it; a secret never is, and has to be there or to come."""
    if action["Type"] == OIDC:
        login = dict(action["AuthenticateOidcConfig"])
        given, kept = login.pop("ClientSecret", None), login.pop("UseExistingClientSecret", False)
        if bool(given) == kept or (kept and not has_secret):
            raise AwsError("InvalidLoadBalancerAction", "a client secret, or to use the existing one")
        return {**action, "AuthenticateOidcConfig": login}
    if action["Type"] != "forward":
        return action
    weights = _weights(action)
    stickiness = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {"Enabled": False})
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    config = {"TargetGroups": groups, "TargetGroupStickinessConfig": stickiness}
    alone = {"TargetGroupArn": groups[0]["TargetGroupArn"]} if len(groups) == 1 else {}
    return {**action, **alone, "ForwardConfig": config}


def _lag(weather: Random) -> float:
    if weather.random() < LONG_LAGS:
        return weather.uniform(LAG_SECONDS[1], LONG_LAG_SECONDS)
    return weather.uniform(*LAG_SECONDS)
