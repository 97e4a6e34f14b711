"""A service of two ports behind two listeners: prepared, planned, and handed back."""

import json
import urllib.request
from types import SimpleNamespace
from typing import Any

import pytest

from crossfade.aws.journal import Journal
from crossfade.aws.preparation import Preparation
from crossfade.aws.scaling_copies import PatternScalings, SlotScaling
from crossfade.domain.errors import PatternUnusable, PriorityTaken
from crossfade.domain.planning.plan import HeldPlan
from crossfade.domain.spec.placed import Placed
from crossfade.domain.spec.service import ServiceSpec
from tests.unit.account import SPECS, Account
from tests.unit.examples import EXECUTION, at
from tests.unit.handlers.conftest import Aws, Context, Invoke, module_of

PATH = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/admin*"]}}]


class TwoPorts:
    """The owner's service with a sidecar that is reached first, and by a rule on a listener of its own."""

    def __init__(self, account: Account) -> None:
        self.account = account
        elbv2, groups = account.elbv2, account.elbv2.describe_target_groups()["TargetGroups"]
        vpc, balancer = groups[0]["VpcId"], elbv2.describe_load_balancers()["LoadBalancers"][0]
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        values = {"Protocol": "HTTP", "Port": 9090, "VpcId": vpc, "TargetType": "ip"}
        made = elbv2.create_target_group(Name="admin", **values)["TargetGroups"][0]
        self.admin, self.web = made["TargetGroupArn"], account.spec.pattern.target_group
        listener = elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=81, DefaultActions=[answer]
        )["Listeners"][0]["ListenerArn"]
        forward = {"Type": "forward", "TargetGroupArn": self.admin}
        rule = elbv2.create_rule(ListenerArn=listener, Priority=7, Conditions=PATH, Actions=[forward])
        self.rule = rule["Rules"][0]["RuleArn"]
        production = account.spec.rule
        elbv2.remove_tags(ResourceArns=[production], TagKeys=["crossfade:service", "crossfade:spec"])
        self.traffic = [{"rule": production}, {"rule": self.rule}]
        self._serve()
        self.publish()

    def _serve(self) -> None:
        account = self.account
        proxy = {"name": "proxy", "image": "envoy:1", "memory": 64, "portMappings": [{"containerPort": 9090}]}
        ports = ((self.admin, "proxy", 9090), (self.web, "app", 8080))
        keys = ("targetGroupArn", "containerName", "containerPort")
        made = account.ecs.create_service(
            cluster="web",
            serviceName="two",
            taskDefinition=account.definition(proxy),
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration=account.spec.pattern.settings["networkConfiguration"],
            loadBalancers=[dict(zip(keys, port, strict=True)) for port in ports],
        )
        self.like = made["service"]["serviceArn"]
        for group in (self.admin, self.web):
            account.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.50"}])

    def publish(self, **changes: Any) -> ServiceSpec:
        """Write its spec."""
        known = {"like": self.like, "traffic": self.traffic} | changes
        declared = self.account.declared.model_dump(mode="json")
        spec = ServiceSpec.model_validate(declared | known)
        self.account.publish(spec)  # type: ignore[arg-type]
        return spec

    def leads_to(self, rule: str) -> list[str]:
        """The target groups that a rule leads to."""
        (shown,) = self.account.elbv2.describe_rules(RuleArns=[rule])["Rules"]
        action = shown["Actions"][-1]
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [action]
        return [group["TargetGroupArn"] for group in groups]

    def lead(self, rule: str, *groups: str) -> None:
        """Let a rule lead all clients to the first of these groups."""
        weights = [{"TargetGroupArn": group, "Weight": int(not n)} for n, group in enumerate(groups)]
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}
        self.account.elbv2.modify_rule(RuleArn=rule, Actions=[forward])


@pytest.fixture
def two(account: Account) -> TwoPorts:
    """Return a service of two ports."""
    return TwoPorts(account)


def _custom_resource(aws: Aws, monkeypatch: pytest.MonkeyPatch, kind: str) -> str:
    """What CloudFormation is told."""
    bodies: list[dict[str, Any]] = []

    class _Open(SimpleNamespace):
        def __enter__(self) -> None:
            return None

        def __exit__(self, *_: object) -> None:
            return None

    def take(request: urllib.request.Request, timeout: float) -> _Open:
        bodies.append(json.loads(request.data))  # type: ignore[arg-type]
        return _Open()

    monkeypatch.setattr(urllib.request, "urlopen", take)
    context = Context()
    context.remaining = 900_000
    event = {
        "RequestType": kind, "ResponseURL": "https://cloudformation.example/answer", "StackId": "stack",
        "RequestId": "request", "LogicalResourceId": "Service", "ResourceProperties": {"Service": "web"},
    }  # fmt: skip
    module_of("cleanup").handler(event, context)
    return str(bodies[0]["Reason"])


@pytest.fixture
def planned(
    account: Account, aws: Aws, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, two: TwoPorts
) -> HeldPlan:
    """Return the plan of its first release."""
    assert _custom_resource(aws, monkeypatch, "Create") == ""
    account.push("0.0.2")
    asked = {"service": "web", "image_tag": "0.0.2"}
    found = invoke("plan_release", input=asked, execution=f"{EXECUTION}:d1", deployment="d1")
    return HeldPlan.model_validate(found["plan"])


def test_a_first_release_knows_both_ports(planned: HeldPlan, two: TwoPorts) -> None:
    """The one that the first rule leads to comes first, with its container; each has groups of its own."""
    spec = planned.spec
    assert (spec.origin, planned.candidate) == ("green", "blue")
    assert [target.name for target in spec.pattern.targets] == ["app:8080", "proxy:9090"]
    assert spec.slot_groups("green") == (two.web, two.admin)
    names = [group.split("/")[1] for group in spec.slot_groups("blue")]
    assert len(set(names)) == 2
    assert all(name.startswith("cf-web-") and name.endswith("-blue") for name in names)
    assert [route.rule for route in spec.routes] == [entry["rule"] for entry in two.traffic]


def _groups(account: Account) -> set[str]:
    found = account.elbv2.describe_target_groups()["TargetGroups"]
    return {group["TargetGroupArn"] for group in found}


def test_a_deleted_stack_leaves_both_rules_as_they_were(
    account: Account,
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    journal: Journal,
    planned: HeldPlan,
    two: TwoPorts,
) -> None:
    """Each leads to its own port of the owner, and the groups of both are gone, and what has scaled them."""
    journal.holding.claim(planned)
    spec: Placed = planned.spec
    for route in spec.routes:
        two.lead(route.rule, route.target_groups.blue, route.target_groups.replaced)
    account.start_service("web-blue", spec.pattern.task_definition, 2)
    account.autoscaling.register_scalable_target(**account.target_of("two"), MinCapacity=1, MaxCapacity=2)
    account.scale_pattern()
    read = PatternScalings(account.autoscaling, account.cloudwatch)
    scaling = read.read(account.declared, spec.pattern, at(0)).scaling
    assert scaling
    copies = SlotScaling(account.autoscaling, account.cloudwatch, spec)
    copies.copy("blue", scaling, {"MinCapacity": 1, "MaxCapacity": 2})
    assert account.cloudwatch.describe_alarms(AlarmNamePrefix="cf-")["MetricAlarms"]
    own = {*spec.slot_groups("blue"), *(groups.replaced for _, groups in spec.ports)}

    assert _custom_resource(aws, monkeypatch, "Delete") == ""

    assert [two.leads_to(route.rule) for route in spec.routes] == [[two.web], [two.admin]]
    assert len(own) == 4
    assert not own & _groups(account)
    assert {two.web, two.admin} <= _groups(account)
    assert account.cloudwatch.describe_alarms(AlarmNamePrefix="cf-")["MetricAlarms"] == []


def test_a_rule_that_is_named_by_nobody_is_refused(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, two: TwoPorts
) -> None:
    """Nothing is made for a service a part of whose clients would stay behind."""
    before = _groups(two.account)
    two.publish(traffic=two.traffic[:1])
    reason = _custom_resource(aws, monkeypatch, "Create")
    assert reason.startswith("PatternUnusable: ")
    assert f"{two.rule} (priority 7, path-pattern /admin*) leads to it as well" in reason
    assert _groups(two.account) == before
    two.account.elbv2.delete_rule(RuleArn=two.rule)
    reason = _custom_resource(aws, monkeypatch, "Create")
    assert f"No rule in traffic of web leads to proxy:9090 ({two.admin})" in reason


def test_rules_of_two_load_balancers_are_refused(invoke: Invoke, planned: HeldPlan, two: TwoPorts) -> None:
    """A target group belongs to one."""
    elsewhere = two.rule.replace("/app/web/", "/app/shop/")
    two.publish(traffic=[*two.traffic, {"rule": elsewhere}])
    with pytest.raises(PatternUnusable, match=r"all have to be of one load balancer"):
        invoke(
            "plan_release", input={"service": "web", "image_tag": "0.0.2"}, execution="e:d2", deployment="d2"
        )


def test_a_place_that_is_taken_is_refused_for_each_rule(two: TwoPorts) -> None:
    """Not for the first one alone."""
    account = two.account
    listener = two.rule.replace(":listener-rule/", ":listener/").rpartition("/")[0]
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    account.elbv2.create_rule(ListenerArn=listener, Priority=8, Conditions=PATH, Actions=[fixed])
    taken = {"listener": listener, "priority": 8, "conditions": PATH, "target_group": two.admin}
    spec = two.publish(traffic=[*two.traffic, taken])
    preparation = Preparation(account.ecs, account.elbv2, account.ssm, "web", SPECS)
    with pytest.raises(PriorityTaken, match="priority 8"):
        preparation.prepare(spec)
