"""What Crossfade makes beside the owner's load balancer: read, made, put right, and removed.

Two that prepare the same service at the same time, or one after a try that was cut off, come to the same end:
target groups are found by their names, rules by their tags, and the secret is never written over.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from crossfade.aws.ecs_services import refuse_anothers_slots, service_of
from crossfade.aws.errors import error_code
from crossfade.aws.listener_rules import group_attributes, rules
from crossfade.aws.routes import balancer_listeners, tags_of, with_tags
from crossfade.domain.errors import NotPrepared, NotYetVisible
from crossfade.domain.preparation import (
    SECRET,
    Beside,
    Call,
    Found,
    Group,
    Names,
    Port,
    Step,
    groups_like_the_patterns,
    is_made,
    steps,
)
from crossfade.domain.slots import SLOTS, Slot, TargetGroups
from crossfade.domain.spec.names import target_group_name, target_group_prefix
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec
from crossfade.domain.traffic.place import listener
from crossfade.domain.traffic.routes import refuse_routes
from crossfade.domain.traffic.rule import DEFAULT, LiveRule

SECRET_BYTES = 16
ABSENT = {"TargetGroupNotFound", "RuleNotFound", "ListenerNotFound", "ParameterNotFound"}
"""The codes of what is gone already."""


class Preparation:
    """Prepares one service through boto3 clients of ``ecs``, ``elbv2`` and ``ssm``.

    ``specs_path`` is where Crossfade's stack looks for specs, ``/<stack>/services/``.
    """

    def __init__(self, ecs: Any, elbv2: Any, ssm: Any, service: str, specs_path: str) -> None:
        self._ecs, self._elbv2, self._ssm = ecs, elbv2, ssm
        self.names = Names(specs_path, service)

    def missing(self, spec: ServiceSpec) -> list[Step]:
        """The calls that are missing until the service can be deployed; none of them is made.

        Raises
        ------
        NotPrepared, PriorityTaken, RuleCovers, PatternUnusable, SlotDrift
            It cannot be prepared: see ``domain/preparation.py`` and ``domain/traffic/routes.py``.
        """
        found = self._found(spec)
        self._refuse(spec, found)
        return steps(spec, self.names, found)

    def prepare(self, spec: ServiceSpec) -> list[Step]:
        """Make those calls; returns what was done.

        Raises
        ------
        NotYetVisible
            The listener has a rule that it does not show yet: try again.
        NotPrepared, PriorityTaken, RuleCovers, PatternUnusable, SlotDrift
            It cannot be prepared, see ``missing``.
        """
        secret = self._secret()
        found = self._found(spec, secret)
        self._refuse(spec, found)
        planned = steps(spec, self.names, found)
        known: dict[str, str | None] = {SECRET: secret}
        for step in planned:
            self._take(step, known)
        if not any(step.call.operation == "create_target_group" for step in planned):
            return planned
        # What a new group's attributes are is known only now.
        made = tuple(port._replace(groups=self._groups(port.name)) for port in found.ports)
        more = groups_like_the_patterns(spec, self.names, found._replace(ports=made))
        for step in more:
            self._take(step, known)
        return [*planned, *more]

    def beside(self, spec: ServiceSpec | None) -> Beside:
        """What there is to remove, on the spec's listeners and on the load balancers of the target groups.

        A spec is not needed: the owner may have deleted it, and the pattern, before.
        """
        groups = self._made_groups()
        arns = {group.arn for group in groups}
        own: list[LiveRule] = []
        owners: list[LiveRule] = []
        of_others: list[LiveRule] = []
        for found in self._listeners(groups, spec):
            shown, tags = with_tags(self._elbv2, self._rules_of(found))
            made = [arn for arn, given in tags.items() if is_made(self.names, given)]
            own += [rule for rule in shown if rule.arn in made]
            others = [rule for rule in shown if rule.arn not in made]
            of_others += others
            owners += [rule for rule in others if rule.priority != DEFAULT and arns & set(rule.forwards)]
        return Beside(tuple(groups), tuple(own), tuple(owners), tuple(of_others))

    def take(self, step: Step) -> None:
        """Make one of the calls that remove or hand back; harmless when it was made before."""
        try:
            self._make(step.call, {})
        except ClientError as error:
            if error_code(error) not in ABSENT:
                raise

    def _refuse(self, spec: ServiceSpec, found: Found) -> None:
        """Refuse slots of another Crossfade's, and what ``refuse_routes`` does."""
        refuse_anothers_slots(self._ecs, spec, self.names.spec)
        groups = [group for port in found.ports for group in (port.pattern, *port.groups.values())]
        balancers = [arn for port in found.ports for arn in port.pattern.shown["LoadBalancerArns"]]
        for balancer in dict.fromkeys(balancers):
            listeners = balancer_listeners(self._elbv2, balancer, self.names)
            refuse_routes(spec, listeners, [group.arn for group in groups])

    # ---- reading -------------------------------------------------------------------------------------------

    def _found(self, spec: ServiceSpec, secret: str | None = None) -> Found:
        secret = secret or self._secret()
        ports = tuple(
            Port(name, self._described(TargetGroupArns=[arn])[0], self._groups(name))
            for name, arn in self._ports(spec).items()
        )
        preview, tags = with_tags(self._elbv2, rules(self._elbv2, spec.preview.listener))
        return Found(
            ports=ports,
            rules=tuple(_masked(rule, secret) for rule in preview),
            tags=tags,
            production={
                arn: tuple(rules(self._elbv2, arn)) for arn in dict.fromkeys(map(listener, spec.traffic))
            },
            has_secret=secret is not None,
        )

    def _ports(self, spec: ServiceSpec) -> dict[str, str]:
        """The target groups of the pattern, by the names of its ports."""
        found = service_of(self._ecs, spec, spec.pattern_service)
        balancers = found.get("loadBalancers", []) if found and found["status"] == "ACTIVE" else []
        groups = [one for one in balancers if "targetGroupArn" in one]
        named = {f"{one['containerName']}:{one['containerPort']}": one["targetGroupArn"] for one in groups}
        if not groups:
            raise NotPrepared(
                f"The spec of {spec.service} says like {spec.like}, and that is no ECS service that is "
                "active and has a target group. Name one that has, then prepare again."
            )
        if len(named) < len(groups):
            raise NotPrepared(
                f"The ECS service {spec.like} has several target groups of one port. Let all rules lead to "
                "one of them, take the others out of the service, then prepare again."
            )
        return named if len(named) > 1 else {"": next(iter(named.values()))}

    def _groups(self, port: str) -> dict[Slot, Group]:
        """The slots' target groups of a port that exist."""
        return {
            slot: group for slot in SLOTS for group in self._described(Names=[self.names.group(slot, port)])
        }

    def _made_groups(self) -> list[Group]:
        """All target groups that Crossfade made for the service; which ports it had, only their tags tell."""
        pages = self._elbv2.get_paginator("describe_target_groups").paginate()
        names = [group["TargetGroupName"] for page in pages for group in page["TargetGroups"]]
        prefix = target_group_prefix(self.names.service)
        found = [
            group for name in names if name.startswith(prefix) for group in self._described(Names=[name])
        ]
        return [group for group in found if is_made(self.names, group.tags)]

    def _described(self, **which: list[str]) -> list[Group]:
        try:
            shown = self._elbv2.describe_target_groups(**which)["TargetGroups"]
        except ClientError as error:
            if error_code(error) != "TargetGroupNotFound" or "Names" not in which:
                raise
            return []
        arns = [group["TargetGroupArn"] for group in shown]
        tags = tags_of(self._elbv2, arns)
        return [
            Group(group, group_attributes(self._elbv2, arn), tags[arn])
            for group, arn in zip(shown, arns, strict=True)
            if arn in tags
        ]

    def _listeners(self, groups: Sequence[Group], spec: ServiceSpec | None) -> list[str]:
        """The ARNs of the spec's listeners, and of all of the load balancers that the groups belong to."""
        arns = [*map(listener, spec.traffic), spec.preview.listener] if spec else []
        for balancer in dict.fromkeys(arn for group in groups for arn in group.shown["LoadBalancerArns"]):
            pages = self._elbv2.get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
            try:
                arns += [found["ListenerArn"] for page in pages for found in page["Listeners"]]
            except ClientError as error:
                if error_code(error) != "LoadBalancerNotFound":
                    raise
        return list(dict.fromkeys(arns))

    def _rules_of(self, listener: str) -> list[LiveRule]:
        """The rules of a listener; none where it is gone."""
        try:
            return rules(self._elbv2, listener)
        except ClientError as error:
            if error_code(error) != "ListenerNotFound":
                raise
            return []

    def _secret(self) -> str | None:
        try:
            answer = self._ssm.get_parameter(Name=self.names.secret, WithDecryption=True)
        except ClientError as error:
            if error_code(error) != "ParameterNotFound":
                raise
            return None
        return str(answer["Parameter"]["Value"])

    # ---- making --------------------------------------------------------------------------------------------

    def _take(self, step: Step, known: dict[str, str | None]) -> None:
        """Make a step's call; ``known`` is what stands in place of names, and learns what was made."""
        if step.call.service == "ssm":
            known[SECRET] = self._make_secret(step.call)
            return
        answer = self._make(step.call, known)
        if step.makes:
            known[f"<{step.makes}>"] = _arn(answer)

    def _make_secret(self, call: Call) -> str:
        value = secrets.token_hex(SECRET_BYTES)
        try:
            self._ssm.put_parameter(**{**call.arguments, "Value": value})
        except ClientError as error:
            if error_code(error) != "ParameterAlreadyExists":
                raise
            known = self._secret()
            if known is None:  # a rule without it would be found by anyone
                raise NotYetVisible(
                    f"SSM has a parameter {self.names.secret} already, but does not show it yet. Prepare "
                    "again in a minute."
                ) from error
            return known
        return value

    def _make(self, call: Call, known: dict[str, str | None]) -> dict[str, Any]:
        client = {"elbv2": self._elbv2, "ssm": self._ssm}[call.service]
        try:
            answer: dict[str, Any] = getattr(client, call.operation)(**_filled(call.arguments, known))
        except ClientError as error:
            if error_code(error) != "PriorityInUse":
                raise
            raise NotYetVisible(
                f"The listener has a rule of priority {call.arguments['Priority']} already, but does not "
                "show it yet. Prepare again in a minute."
            ) from error
        return answer


def slot_groups(elbv2: Any, spec: ServiceSpec, specs_path: str, pattern: Pattern) -> tuple[TargetGroups, ...]:
    """Crossfade's own target groups of a service, for each of the pattern's targets, with that one's own.

    Raises
    ------
    NotPrepared
        One of them is missing.
    """
    return tuple(
        TargetGroups(**_slots(elbv2, spec, specs_path, port), pattern=target.target_group)
        for target, port in zip(pattern.targets, pattern.port_names, strict=True)
    )


def _slots(elbv2: Any, spec: ServiceSpec, specs_path: str, port: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for slot in SLOTS:
        name = target_group_name(specs_path, spec.service, slot, port)
        try:
            shown = elbv2.describe_target_groups(Names=[name])["TargetGroups"]
        except ClientError as error:
            if error_code(error) != "TargetGroupNotFound":
                raise
            raise NotPrepared(
                f"{spec.service} has no target group {name}, which the slot {slot} needs. Prepare the "
                "service: crossfade adopt, or an update of the stack that has its Custom::CrossfadeService."
            ) from error
        found[slot] = shown[0]["TargetGroupArn"]
    return found


def _masked(rule: LiveRule, secret: str | None) -> LiveRule:
    """A rule with ``{secret}`` in place of the secret."""
    if secret is None:
        return rule
    return LiveRule.model_validate_json(rule.model_dump_json().replace(secret, SECRET))


def _filled(value: Any, known: dict[str, str | None]) -> Any:
    """A call's arguments with what is known by now in place of its name."""
    if isinstance(value, dict):
        return {key: _filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known) for inner in value]
    if isinstance(value, str):
        for name, is_now in known.items():
            value = value.replace(name, is_now or name)
    return value


def _arn(answer: dict[str, Any]) -> str:
    """The ARN of what was made, by the answer of CreateTargetGroup or CreateRule."""
    found = [*answer.get("TargetGroups", []), *answer.get("Rules", [])]
    return str(found[0].get("TargetGroupArn") or found[0]["RuleArn"])
