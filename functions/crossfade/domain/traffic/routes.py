"""The routes to a service: every rule of its load balancer that leads there, and what cannot be moved of it.

Weights move in the rules that ``traffic`` names. Another one that leads to the same service would go on
leading to the release of before, and to no task at all once that is stopped.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from crossfade.domain.errors import PatternUnusable
from crossfade.domain.spec.service import ExistingRule, OwnRule, ServiceSpec
from crossfade.domain.traffic.place import listener, listener_of
from crossfade.domain.traffic.rule import DEFAULT, KEPT, LiveRule


class Listener(NamedTuple):
    """A listener as DescribeListeners shows it, its rules, and the ARNs of those that Crossfade made."""

    shown: Mapping[str, Any]
    rules: tuple[LiveRule, ...]
    own: frozenset[str]

    @property
    def arn(self) -> str:
        """The listener's ARN."""
        return str(self.shown["ListenerArn"])


def routes_to(groups: Iterable[str], listeners: Iterable[Listener]) -> list[LiveRule]:
    """The owner's rules, default rules among them, that send requests to one of these target groups."""
    wanted = set(groups)
    return [
        rule
        for found in listeners
        for rule in found.rules
        if rule.arn not in found.own and any(rule.forwards.get(group) for group in wanted)
    ]


def asks_for_login(rule: LiveRule) -> bool:
    """Whether a rule turns away clients that are not known, as a login does unless it says ``allow``.

    botocore elbv2 2015-12-01, OnUnauthenticatedRequest; a JSON web token is asked for in any case.
    """
    configs = [
        config
        for action in rule.actions[:-1]
        if action["Type"] in KEPT
        for key, config in action.items()
        if key.endswith("Config")
    ]
    return any(config.get("OnUnauthenticatedRequest") != "allow" for config in configs)


def refuse_routes(spec: ServiceSpec, listeners: Iterable[Listener], groups: Iterable[str]) -> None:
    """Refuse what no weights of ``traffic`` move, and listeners that the probe cannot ask.

    ``listeners`` are all of the load balancer, ``groups`` the target groups of the slots and of the pattern.

    Raises
    ------
    PatternUnusable
        Names each fault.
    """
    shown, wanted = list(listeners), set(groups)
    faults = [*_others(spec, shown, wanted), *_client_certificates(spec, shown), *_login(spec, shown, wanted)]
    if faults:
        raise PatternUnusable(
            f"The load balancer of {spec.service} leads to it in a way that Crossfade cannot move: "
            f"{'; '.join(faults)}. Nothing was changed."
        )


def _others(spec: ServiceSpec, listeners: list[Listener], groups: set[str]) -> Iterator[str]:
    for rule in routes_to(groups, listeners):
        if not any(_is_moved(entry, rule) for entry in spec.traffic):
            yield (
                f"{rule} leads to it as well, and traffic does not name it: name it there if the "
                "service is not live yet, else take the service's target group out of the rule"
            )


def _is_moved(entry: ExistingRule | OwnRule, rule: LiveRule) -> bool:
    """Whether a rule is the one that an entry means, or the default action whose place that one takes."""
    if isinstance(entry, ExistingRule):
        return rule.arn == entry.rule
    in_its_place = rule.priority == DEFAULT and listener_of(rule.arn) == entry.listener
    return in_its_place and not entry.conditions  # with some, the others' requests still come by it


def _client_certificates(spec: ServiceSpec, listeners: list[Listener]) -> Iterator[str]:
    """Of listeners that ask for a client's certificate (botocore elbv2 2015-12-01, MutualAuthentication)."""
    for found in listeners:
        mode = found.shown.get("MutualAuthentication", {}).get("Mode", "off")
        if mode != "off" and found.arn in (listener(spec.route), spec.preview.listener):
            yield f"the listener {found.arn} asks for a client's certificate ({mode}), and the probe has none"


def _login(spec: ServiceSpec, listeners: list[Listener], groups: set[str]) -> Iterator[str]:
    """A login keeps the probe from what users get, and the secret of one cannot be read to make it anew."""
    for rule in routes_to(groups, listeners):
        entry = next((entry for entry in spec.traffic if _is_moved(entry, rule)), None)
        if isinstance(entry, OwnRule) and any(action["Type"] in KEPT for action in rule.actions[:-1]):
            yield (
                f"{rule} asks for a login, and a rule in its place would need that login's secret, which ELB "
                "shows to nobody: put the login and the forward into a rule, and name its ARN in traffic"
            )
        elif entry is spec.route and asks_for_login(rule) and not spec.login_bypass:
            yield (
                f"{rule} asks for a login, which the probe has not: say login_bypass: true in the spec, and "
                "see in docs/adopting.md what that means, or let the login be the application's own"
            )
