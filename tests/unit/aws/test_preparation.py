"""What Crossfade makes beside the owner's load balancer, against an account in moto."""

import copy
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crossfade.aws.errors import error_code
from crossfade.aws.preparation import Preparation, slot_groups
from crossfade.domain.errors import (
    NotPrepared,
    NotYetVisible,
    PatternUnusable,
    PriorityTaken,
    ResourceGone,
    RuleCovers,
    StillLive,
)
from crossfade.domain.preparation import Names, Step, handing_back, refuse_live, removal
from crossfade.domain.slots import SLOTS
from crossfade.domain.spec.placed import Pattern
from crossfade.domain.spec.service import ServiceSpec
from faults.aws.names import REGION
from faults.cases.service import document
from tests.unit.account import SESSION, set_up_once
from tests.unit.examples import pattern

PATH = "/crossfade/services/"
ANSWER = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
HOST = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["shop.example"]}}]


class Owner:
    """The owner's account: a load balancer, and an ECS service that its listener leads to by default."""

    def __init__(self) -> None:
        self.ecs, self.elbv2, self.ssm = (SESSION.client(name) for name in ("ecs", "elbv2", "ssm"))
        ec2 = SESSION.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")
            for n, zone in enumerate("ab")
        ]
        ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
        self.balancer = self.elbv2.create_load_balancer(Name="web", Subnets=ids)["LoadBalancers"][0]
        self.group = self.target_group("web")
        self.listener = self.listen(80)
        self.ecs.create_cluster(clusterName="web")
        self.ecs.register_task_definition(
            family="web", containerDefinitions=[{"name": "app", "image": "web", "memory": 512}]
        )
        self.serve("web", self.group)

    def listen(self, port: int) -> str:
        """Open a port that leads to the service."""
        made = self.elbv2.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def target_group(self, name: str, **changes: Any) -> str:
        """Make a target group."""
        values = {
            "Protocol": "HTTP", "Port": 8080, "VpcId": self.vpc, "TargetType": "ip",
            "HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 4,
            "Tags": [{"Key": "team", "Value": "shop"}],
        }  # fmt: skip
        made = self.elbv2.create_target_group(Name=name, **values | changes)
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def serve(self, name: str, *groups: str) -> None:
        """Make an ECS service in front of which target groups stand."""
        balancers = [
            {"targetGroupArn": group, "containerName": "app", "containerPort": 8080} for group in groups
        ]
        self.ecs.create_service(
            cluster="web", serviceName=name, taskDefinition="web", desiredCount=0, loadBalancers=balancers
        )

    def rule(self, priority: int, conditions: list[dict[str, Any]], *actions: dict[str, Any]) -> str:
        """Put a rule on the listener, of another service where nothing else is said."""
        made = self.elbv2.create_rule(
            ListenerArn=self.listener,
            Priority=priority,
            Conditions=conditions,
            Actions=list(actions) or [ANSWER],
        )
        return str(made["Rules"][0]["RuleArn"])

    def own_rule(self, priority: int, *actions: dict[str, Any]) -> str:
        """Let a rule for a host lead to the service, and the default action no more."""
        self.elbv2.modify_listener(ListenerArn=self.listener, DefaultActions=[ANSWER])
        forward = {"Type": "forward", "TargetGroupArn": self.group}
        return self.rule(priority, HOST, *(actions or [forward]))

    def rules(self) -> dict[str, dict[str, Any]]:
        """The listener's rules by their priority."""
        found = self.elbv2.describe_rules(ListenerArn=self.listener)["Rules"]
        return {rule["Priority"]: rule for rule in found}

    def groups(self) -> dict[str, dict[str, Any]]:
        """All target groups but the owner's, by their names."""
        found = self.elbv2.describe_target_groups()["TargetGroups"]
        return {group["TargetGroupName"]: group for group in found if group["TargetGroupArn"] != self.group}

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a target group or rule."""
        found = self.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def attributes(self, arn: str) -> dict[str, str]:
        """The attributes of a target group."""
        found = self.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        return {attribute["Key"]: attribute["Value"] for attribute in found}

    def set_attribute(self, arn: str, key: str, value: str) -> None:
        """Change an attribute of a target group."""
        self.elbv2.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=[{"Key": key, "Value": value}]
        )

    def secret(self) -> str:
        """The secret of the preview rules."""
        found = self.ssm.get_parameter(Name="/crossfade/preview/web", WithDecryption=True)["Parameter"]
        assert found["Type"] == "SecureString"
        return str(found["Value"])

    @property
    def pattern(self) -> Pattern:
        """The owner's service, of which names need the target group alone."""
        return pattern(target_group=self.group)

    def spec(self, **changes: Any) -> ServiceSpec:
        """The service's spec: a rule `/*` in the default action's place."""
        like = self.ecs.describe_services(cluster="web", services=["web"])["services"][0]["serviceArn"]
        values = {
            "like": like,
            "traffic": [{"listener": self.listener, "priority": "last"}],
            "preview": {"listener": self.listener},
        }
        return ServiceSpec.model_validate(document(**values | changes))


@pytest.fixture(scope="module")
def renewed() -> Iterator[Callable[[], Owner]]:
    """Return a function that gives an account as good as new; it is set up once."""
    with set_up_once(Owner) as (owner, set_back):

        def renewed() -> Owner:
            set_back()
            return copy.copy(owner)

        yield renewed


@pytest.fixture
def owner(renewed: Callable[[], Owner]) -> Owner:
    """Return an owner's account."""
    return renewed()


@pytest.fixture
def preparation(owner: Owner) -> Preparation:
    """Return the service's preparation."""
    return Preparation(owner.ecs, owner.elbv2, owner.ssm, "web", PATH)


def _calls(steps: list[Step]) -> list[str]:
    return [step.call.operation for step in steps]


def _removal(preparation: Preparation, spec: ServiceSpec | None) -> list[Step]:
    return removal(preparation.names, preparation.beside(spec))


def _slot_names(preparation: Preparation) -> list[str]:
    return [preparation.names.group(slot) for slot in SLOTS]


def _leads_to(rule: dict[str, Any]) -> list[str]:
    groups = rule["Actions"][-1].get("ForwardConfig", {}).get("TargetGroups")
    return [group["TargetGroupArn"] for group in groups or [rule["Actions"][-1]]]


def _header(rule: dict[str, Any]) -> list[str]:
    (condition,) = rule["Conditions"]
    assert condition["HttpHeaderConfig"]["HttpHeaderName"] == "x-crossfade-slot"
    return list(condition["HttpHeaderConfig"]["Values"])


def test_the_groups_are_like_the_patterns(owner: Owner, preparation: Preparation) -> None:
    """With its health check, attributes and tags, and the tags by which they are known again."""
    owner.set_attribute(owner.group, "deregistration_delay.timeout_seconds", "7")
    preparation.prepare(owner.spec())
    assert sorted(owner.groups()) == _slot_names(preparation)
    for group in owner.groups().values():
        assert (group["HealthCheckPath"], group["HealthCheckIntervalSeconds"]) == ("/healthz", 10)
        assert (group["Port"], group["Protocol"], group["VpcId"]) == (8080, "HTTP", owner.vpc)
        assert owner.attributes(group["TargetGroupArn"])["deregistration_delay.timeout_seconds"] == "7"
        assert owner.tags(group["TargetGroupArn"]) == {
            "team": "shop", "crossfade:service": "web", "crossfade:spec": "/crossfade/services/web",
        }  # fmt: skip


def test_the_rules_by_the_secret_header_lead_to_one_slot_each(owner: Owner, preparation: Preparation) -> None:
    """They have the lowest priorities that are free. The owner's service is met by one as well."""
    owner.rule(2, HOST)
    preparation.prepare(owner.spec())
    blue, green = (owner.groups()[name]["TargetGroupArn"] for name in _slot_names(preparation))
    rules = owner.rules()
    assert (_header(rules["1"]), _leads_to(rules["1"])) == ([f"{owner.secret()}-blue"], [blue])
    assert (_header(rules["3"]), _leads_to(rules["3"])) == ([f"{owner.secret()}-green"], [green])
    assert (_header(rules["4"]), _leads_to(rules["4"])) == ([f"{owner.secret()}-pattern"], [owner.group])
    assert len(owner.secret()) == 32
    assert owner.tags(rules["1"]["RuleArn"])["crossfade:service"] == "web"


def test_the_production_rule_takes_the_default_actions_place(owner: Owner, preparation: Preparation) -> None:
    """At the highest priority that is free; its clients get the owner's service, as before."""
    preparation.prepare(owner.spec())
    rule = owner.rules()["50000"]
    assert (_leads_to(rule), rule["Conditions"][0]["Field"]) == ([owner.group], "path-pattern")


def test_an_owners_rule_is_not_touched(owner: Owner, preparation: Preparation) -> None:
    """It is production's, and no other one is made."""
    arn = owner.own_rule(100)
    before = owner.rules()
    preparation.prepare(owner.spec(traffic=[{"rule": arn}]))
    rules = owner.rules()
    assert sorted(rules) == ["1", "100", "2", "3", "default"]
    assert (rules["100"], rules["default"]) == (before["100"], before["default"])


def test_nothing_is_missing_after_it(owner: Owner, preparation: Preparation) -> None:
    """A second time makes no call that changes anything."""
    done = preparation.prepare(owner.spec())
    assert _calls(done) == [
        "put_parameter", "create_target_group", "create_target_group", "create_rule", "create_rule",
        "create_rule", "create_rule",
    ]  # fmt: skip
    assert preparation.missing(owner.spec()) == []
    assert preparation.prepare(owner.spec()) == []


@pytest.mark.parametrize("calls", range(7))
def test_a_try_that_was_cut_off_is_completed(owner: Owner, preparation: Preparation, calls: int) -> None:
    """After whichever call: the next one makes what is missing, and nothing twice."""
    left = calls

    def cut_off(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            nonlocal left
            if left == 0:
                raise TimeoutError
            left -= 1
            return function(*arguments)

        return call

    preparation._take = cut_off(preparation._take)  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        preparation.prepare(owner.spec())
    left = -1
    preparation.prepare(owner.spec())
    assert preparation.missing(owner.spec()) == []
    assert sorted(owner.rules()) == ["1", "2", "3", "50000", "default"]
    assert _header(owner.rules()["1"]) == [f"{owner.secret()}-blue"]


def test_what_differs_is_put_right(owner: Owner, preparation: Preparation) -> None:
    """The owner has changed the health check, and another person a rule."""
    preparation.prepare(owner.spec())
    owner.elbv2.modify_target_group(TargetGroupArn=owner.group, HealthCheckPath="/up")
    owner.set_attribute(owner.group, "slow_start.duration_seconds", "30")
    owner.elbv2.modify_rule(
        RuleArn=owner.rules()["1"]["RuleArn"], Actions=[{"Type": "forward", "TargetGroupArn": owner.group}]
    )
    done = preparation.prepare(owner.spec())
    assert _calls(done) == ["modify_target_group", "modify_target_group_attributes"] * 2 + ["modify_rule"]
    assert preparation.missing(owner.spec()) == []
    group = owner.groups()[_slot_names(preparation)[0]]
    assert _leads_to(owner.rules()["1"]) == [group["TargetGroupArn"]]
    assert group["HealthCheckPath"] == "/up"
    assert owner.attributes(group["TargetGroupArn"])["slow_start.duration_seconds"] == "30"


def test_the_health_check_of_what_is_live_stays(owner: Owner, preparation: Preparation) -> None:
    """Tasks that serve the users need not pass the next release's check: ECS would stop all of them."""
    preparation.prepare(owner.spec())
    blue, green = _slot_names(preparation)
    users = owner.rules()["50000"]["RuleArn"]
    live = {"Type": "forward", "TargetGroupArn": owner.groups()[blue]["TargetGroupArn"]}
    owner.elbv2.modify_rule(RuleArn=users, Actions=[live])
    owner.elbv2.modify_target_group(TargetGroupArn=owner.group, HealthCheckPath="/up")
    preparation.prepare(owner.spec())
    paths = {name: group["HealthCheckPath"] for name, group in owner.groups().items()}
    assert paths == {blue: "/healthz", green: "/up"}
    owner.elbv2.modify_rule(RuleArn=users, Actions=[{**live, "TargetGroupArn": owner.group}])
    assert _calls(preparation.prepare(owner.spec())) == ["modify_target_group"]


def test_a_secret_that_was_deleted_is_made_anew(owner: Owner, preparation: Preparation) -> None:
    """And the rules are changed to it."""
    preparation.prepare(owner.spec())
    before = owner.secret()
    owner.ssm.delete_parameter(Name="/crossfade/preview/web")
    assert _calls(preparation.prepare(owner.spec())) == ["put_parameter", *["modify_rule"] * 3]
    assert owner.secret() != before
    assert _header(owner.rules()["2"]) == [f"{owner.secret()}-green"]


def test_the_secret_stands_in_no_plan(owner: Owner, preparation: Preparation) -> None:
    """What is to be done is printed and logged."""
    steps = [*preparation.missing(owner.spec()), *preparation.prepare(owner.spec())]
    owner.elbv2.modify_rule(
        RuleArn=owner.rules()["1"]["RuleArn"], Actions=[{"Type": "forward", "TargetGroupArn": owner.group}]
    )
    steps += [*preparation.missing(owner.spec()), *_removal(preparation, owner.spec())]
    assert owner.secret() not in repr(steps)


def test_each_call_has_its_inverse(owner: Owner, preparation: Preparation) -> None:
    """What is made is deleted by it, what is changed is changed back."""
    steps = preparation.missing(owner.spec())
    assert [(step.call.operation, step.inverse.operation) for step in steps] == [
        ("put_parameter", "delete_parameter"),
        *[("create_target_group", "delete_target_group")] * 2,
        *[("create_rule", "delete_rule")] * 4,
    ]


def test_a_group_of_that_name_that_is_not_crossfades(owner: Owner, preparation: Preparation) -> None:
    """It is left alone."""
    owner.target_group(_slot_names(preparation)[1])
    with pytest.raises(NotPrepared, match="it is not Crossfade's"):
        preparation.prepare(owner.spec())


def test_what_elb_cannot_change_is_refused(owner: Owner, preparation: Preparation) -> None:
    """The owner has replaced the target group by one with another port."""
    preparation.prepare(owner.spec())
    owner.serve("web2", owner.target_group("web2", Port=9090))
    like = owner.ecs.describe_services(cluster="web", services=["web2"])["services"][0]["serviceArn"]
    with pytest.raises(NotPrepared, match=r"has Port 8080 where the pattern's has 9090, and ELB cannot"):
        preparation.prepare(owner.spec(like=like))


def test_a_pattern_whose_cluster_is_gone(owner: Owner, preparation: Preparation) -> None:
    """It is said where the spec looks for it."""
    like = owner.spec().like.replace("service/web/", "service/gone/")
    with pytest.raises(ResourceGone, match=r"cluster arn:.*:cluster/gone, which the spec of web names"):
        preparation.prepare(owner.spec(like=like))


@pytest.mark.parametrize("count", [0, 2])
def test_a_pattern_without_a_target_group_for_each_port(
    owner: Owner, preparation: Preparation, count: int
) -> None:
    """None can be copied; two of one port would have one name."""
    owner.serve("web2", *[owner.target_group(f"web{n}") for n in range(count)])
    like = owner.ecs.describe_services(cluster="web", services=["web2"])["services"][0]["serviceArn"]
    with pytest.raises(NotPrepared, match="several target groups of one port" if count else "no ECS service"):
        preparation.prepare(owner.spec(like=like))


# ---- several rules and ports -----------------------------------------------------------------------------


ADMIN = ".efd98279"


class TwoPorts:
    """The owner's service with a port of the administrators, behind a listener and group of its own."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.admin = owner.target_group("admin", HealthCheckPath="/admin")
        balancers = [
            {"targetGroupArn": self.admin, "containerName": "proxy", "containerPort": 9090},
            {"targetGroupArn": owner.group, "containerName": "app", "containerPort": 8080},
        ]
        made = owner.ecs.create_service(
            cluster="web", serviceName="two", taskDefinition="web", desiredCount=0, loadBalancers=balancers
        )
        self.like = made["service"]["serviceArn"]
        self.listener = owner.listen(8081)
        self.lead_default(self.admin)

    def lead_default(self, group: str) -> None:
        """Let the default action of the second listener lead elsewhere."""
        self.owner.elbv2.modify_listener(
            ListenerArn=self.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}]
        )

    def spec(self, **changes: Any) -> ServiceSpec:
        """Its spec: each port in the place of a default action, what the probe asks first."""
        return self.owner.spec(**{"like": self.like, "traffic": [self.web, self.of_admin]} | changes)

    @property
    def web(self) -> dict[str, Any]:
        """What the probe asks."""
        return {"listener": self.owner.listener, "priority": "last", "target_group": self.owner.group}

    @property
    def of_admin(self) -> dict[str, Any]:
        """The other port."""
        return {"listener": self.listener, "priority": "last", "target_group": self.admin}

    def groups(self, names: Names, port: str) -> list[str]:
        """The ARNs of the slots' groups for a port."""
        return [self.owner.groups()[names.group(slot, port)]["TargetGroupArn"] for slot in SLOTS]


@pytest.fixture
def two(owner: Owner) -> TwoPorts:
    """Return a service of two ports."""
    return TwoPorts(owner)


def test_each_port_has_groups_and_rules_of_its_own(
    owner: Owner, two: TwoPorts, preparation: Preparation
) -> None:
    """Like the pattern's for that port; the rules of the one that the probe asks are called as ever."""
    preparation.prepare(two.spec())
    blue, green = two.groups(preparation.names, "app:8080")
    admin_blue, admin_green = two.groups(preparation.names, "proxy:9090")
    shown = owner.groups()
    assert len(shown) == 5  # the owner's own second one among them
    assert shown[preparation.names.group("blue", "proxy:9090")]["HealthCheckPath"] == "/admin"
    assert shown[preparation.names.group("blue", "app:8080")]["HealthCheckPath"] == "/healthz"
    rules = owner.rules()
    found = {_header(rules[str(n)])[0].partition("-")[2]: _leads_to(rules[str(n)]) for n in range(1, 7)}
    assert found == {
        "blue": [blue],
        "green": [green],
        "pattern": [owner.group],
        f"blue{ADMIN}": [admin_blue],
        f"green{ADMIN}": [admin_green],
        f"pattern{ADMIN}": [two.admin],
    }
    assert _leads_to(rules["50000"]) == [owner.group]
    other = owner.elbv2.describe_rules(ListenerArn=two.listener)["Rules"]
    assert {rule["Priority"]: _leads_to(rule) for rule in other} == {
        "50000": [two.admin], "default": [two.admin],
    }  # fmt: skip
    assert preparation.missing(two.spec()) == []


@pytest.mark.parametrize("calls", [3, 5, 6, 9])
def test_a_try_for_two_ports_that_was_cut_off_is_completed(
    owner: Owner, two: TwoPorts, preparation: Preparation, calls: int
) -> None:
    """Between the groups of two ports, between two production rules, between the previews of two ports."""
    planned = preparation.missing(two.spec())
    take, left = preparation._take, iter(range(calls))

    def cut_off(*arguments: Any) -> None:
        if next(left, None) is None:
            raise TimeoutError
        take(*arguments)

    preparation._take = cut_off  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        preparation.prepare(two.spec())
    preparation._take = take  # type: ignore[method-assign]
    more = preparation.prepare(two.spec())
    assert [step.what for step in more] == [step.what for step in planned[calls:]]
    assert preparation.missing(two.spec()) == []
    assert sorted(owner.rules()) == ["1", "2", "3", "4", "5", "50000", "6", "default"]


def test_the_first_rule_says_which_port_the_probe_asks(
    owner: Owner, two: TwoPorts, preparation: Preparation
) -> None:
    """Not the order of the ECS service. Its preview rules follow; the groups keep their names."""
    preparation.prepare(two.spec())
    groups = sorted(owner.groups())
    spec = two.spec(traffic=[two.of_admin, two.web])
    assert {step.call.operation for step in preparation.prepare(spec)} == {
        "create_rule",
        "delete_rule",
        "modify_rule",
    }
    rules = owner.rules()
    leads = {
        _header(rule)[0].partition("-")[2]: _leads_to(rule) for rule in rules.values() if "Http" in str(rule)
    }
    assert leads["pattern"] == [two.admin]
    assert len(leads) == 6
    assert sorted(owner.groups()) == groups
    assert preparation.missing(spec) == []


def test_owners_rules_say_by_themselves_which_port_they_lead_to(
    owner: Owner, two: TwoPorts, preparation: Preparation
) -> None:
    """Several may lead to one port, and share its groups."""
    owner.elbv2.modify_listener(ListenerArn=two.listener, DefaultActions=[ANSWER])
    arns = [owner.own_rule(100)]
    path = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/admin*"]}}]
    arns += [owner.rule(n, path, {"Type": "forward", "TargetGroupArn": two.admin}) for n in range(101, 110)]
    spec = two.spec(traffic=[{"rule": arn} for arn in arns])
    before = {priority: rule for priority, rule in owner.rules().items() if len(priority) == 3}
    preparation.prepare(spec)
    assert len(owner.groups()) == 5
    assert {priority: rule for priority, rule in owner.rules().items() if len(priority) == 3} == before
    assert sorted(priority for priority in owner.rules() if len(priority) == 1) == list("123456")


def test_a_port_that_no_rule_leads_to(two: TwoPorts, preparation: Preparation) -> None:
    """Nothing is made for a service of which a part would stay behind."""
    two.lead_default(two.owner.group)
    with pytest.raises(PatternUnusable, match=rf"leads to proxy:9090 \({two.admin}\) of .*Name each rule"):
        preparation.missing(two.spec(traffic=[two.web, two.of_admin | {"target_group": two.owner.group}]))


def test_a_rule_that_is_to_be_made_says_where_it_leads(two: TwoPorts, preparation: Preparation) -> None:
    """There is nothing yet that could tell."""
    unsaid = {key: value for key, value in two.of_admin.items() if key != "target_group"}
    with pytest.raises(PatternUnusable, match=r"priority last of .* has .*Say in target_group of the spec"):
        preparation.missing(two.spec(traffic=[two.web, unsaid]))


def test_a_rule_that_would_cover_another_one_of_the_service(
    owner: Owner, two: TwoPorts, preparation: Preparation
) -> None:
    """Both are yet to be made."""
    taking_all = two.of_admin | {"listener": owner.listener, "priority": 7}
    owner.elbv2.modify_listener(ListenerArn=two.listener, DefaultActions=[ANSWER])
    with pytest.raises(RuleCovers, match=r"would get none behind it"):
        preparation.missing(two.spec(traffic=[taking_all, two.web]))


def test_all_ports_are_removed(owner: Owner, two: TwoPorts, preparation: Preparation) -> None:
    """Without a spec, and without the ECS service that told which there were."""
    rules, groups = owner.rules(), sorted(owner.groups())
    preparation.prepare(two.spec())
    owner.ecs.delete_service(cluster="web", service="two", force=True)
    refuse_live("web", preparation.beside(None))
    _remove(preparation, None)
    assert (owner.rules(), sorted(owner.groups())) == (rules, groups)
    assert len(owner.elbv2.describe_rules(ListenerArn=two.listener)["Rules"]) == 1


def test_each_rule_is_handed_back_to_its_own_port(
    owner: Owner, two: TwoPorts, preparation: Preparation
) -> None:
    """Also one in which the pattern's group stands no more."""
    owner.elbv2.modify_listener(ListenerArn=two.listener, DefaultActions=[ANSWER])
    web = owner.own_rule(100)
    admin = owner.rule(101, HOST, {"Type": "forward", "TargetGroupArn": two.admin})
    preparation.prepare(two.spec(traffic=[{"rule": web}, {"rule": admin}]))
    patterns = {}
    for rule, port, theirs in ((web, "app:8080", owner.group), (admin, "proxy:9090", two.admin)):
        slots = two.groups(preparation.names, port)
        patterns |= dict.fromkeys(slots, theirs)
        weights = [{"TargetGroupArn": group, "Weight": n} for n, group in enumerate(slots)]
        owner.elbv2.modify_rule(
            RuleArn=rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]
        )
    with pytest.raises(StillLive, match=r"priority 100"):
        refuse_live("web", preparation.beside(None))
    for step in handing_back(preparation.beside(None), patterns):
        preparation.take(step)
    assert [_leads_to(owner.rules()[place]) for place in ("100", "101")] == [[owner.group], [two.admin]]


def test_there_must_be_a_place_before_the_users_rule(owner: Owner, preparation: Preparation) -> None:
    """Behind it the probe's requests would go where users' do."""
    arn = owner.own_rule(2)
    with pytest.raises(NotPrepared, match=r"before the rule of priority 2 on the listener .*no free place"):
        preparation.prepare(owner.spec(traffic=[{"rule": arn}]))


def test_a_rule_that_takes_every_request_before_them(owner: Owner, preparation: Preparation) -> None:
    """The probe would meet another service."""
    owner.rule(1, [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}])
    with pytest.raises((NotPrepared, RuleCovers)):
        preparation.prepare(owner.spec())


def test_a_priority_that_another_service_has(owner: Owner, preparation: Preparation) -> None:
    """Its rule is left alone."""
    owner.rule(10, HOST)
    with pytest.raises(PriorityTaken):
        preparation.prepare(owner.spec(traffic=[{"listener": owner.listener, "priority": 10}]))


def test_a_rule_that_is_not_shown_yet(
    owner: Owner, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ELB says that its priority is in use; it may be Crossfade's own, so the rules are read again."""
    preparation.prepare(owner.spec())
    monkeypatch.setattr("crossfade.aws.preparation.rules", lambda elbv2, listener: [])
    with pytest.raises(NotYetVisible, match="does not show it yet"):
        preparation.prepare(owner.spec())


def test_a_login_is_passed_by_one_more_rule(owner: Owner, preparation: Preparation) -> None:
    """It leads where the users' rule does, without the login; where that is, is the workflow's to change."""
    login = {"Type": "fixed-response", "Order": 1, "FixedResponseConfig": {"StatusCode": "401"}}
    forward = {
        "Type": "forward",
        "Order": 2,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": owner.group, "Weight": 3}]},
    }
    arn = owner.own_rule(100, cognito(), forward)
    with pytest.raises(PatternUnusable, match=r"asks for a login.*login_bypass: true"):
        preparation.prepare(owner.spec(traffic=[{"rule": arn}]))
    spec = owner.spec(traffic=[{"rule": arn}], login_bypass=True)
    preparation.prepare(spec)
    live = owner.rules()["4"]
    assert (_header(live), _leads_to(live)) == ([f"{owner.secret()}-live"], [owner.group])
    owner.elbv2.modify_rule(RuleArn=live["RuleArn"], Actions=[login])
    assert preparation.missing(spec) == []
    owner.elbv2.modify_rule(RuleArn=arn, Actions=[forward])
    assert _calls(preparation.prepare(owner.spec(traffic=[{"rule": arn}]))) == ["delete_rule"]


@pytest.mark.parametrize("both", [True, False])
def test_only_one_rule_may_lead_to_the_service(owner: Owner, preparation: Preparation, both: bool) -> None:
    """Weights move in one: the other would lead to the release of before, and then to no task."""
    arn = owner.own_rule(100)
    forward = {"Type": "forward", "TargetGroupArn": owner.group}
    if both:
        owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[forward])
    else:
        owner.listen(8080)
    with pytest.raises(PatternUnusable, match=r"\(the default rule\) leads to it as well"):
        preparation.prepare(owner.spec(traffic=[{"rule": arn}]))
    assert owner.groups() == {}


def test_the_default_action_may_lead_where_its_successor_does(owner: Owner, preparation: Preparation) -> None:
    """It gets no request any more; another rule of the listener would."""
    preparation.prepare(owner.spec())
    assert preparation.missing(owner.spec()) == []
    arn = owner.rule(100, HOST, {"Type": "forward", "TargetGroupArn": owner.group})
    with pytest.raises(PatternUnusable, match=f"{arn} .* leads to it as well"):
        preparation.missing(owner.spec())


def test_a_login_of_the_default_action_cannot_be_taken_over(owner: Owner, preparation: Preparation) -> None:
    """A rule in its place would need the login's secret, and ELB tells that to nobody."""
    forward = {"Type": "forward", "Order": 2, "TargetGroupArn": owner.group}
    owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[cognito(), forward])
    with pytest.raises(PatternUnusable, match=r"asks for a login.*put the login and the forward into a rule"):
        preparation.prepare(owner.spec(login_bypass=True))


def test_a_listener_that_asks_for_certificates(
    owner: Owner, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe has none to show. moto does not know MutualAuthentication."""
    shown = owner.elbv2.describe_listeners(ListenerArns=[owner.listener])["Listeners"]
    asking = [one | {"MutualAuthentication": {"Mode": "verify"}} for one in shown]
    pages = SimpleNamespace(paginate=lambda **_: [{"Listeners": asking}])
    real = owner.elbv2.get_paginator
    monkeypatch.setattr(
        owner.elbv2, "get_paginator", lambda name: pages if name == "describe_listeners" else real(name)
    )
    with pytest.raises(PatternUnusable, match=r"asks for a client's certificate \(verify\)"):
        preparation.prepare(owner.spec())


def cognito() -> dict[str, Any]:
    """A login in front of a forward."""
    config = {
        "UserPoolArn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_1",
        "UserPoolClientId": "web",
        "UserPoolDomain": "web",
    }
    return {"Type": "authenticate-cognito", "Order": 1, "AuthenticateCognitoConfig": config}


# ---- the way back ----------------------------------------------------------------------------------------


def _remove(preparation: Preparation, spec: ServiceSpec | None) -> list[str]:
    steps = _removal(preparation, spec)
    for step in steps:
        preparation.take(step)
    return [step.what for step in steps]


@pytest.mark.parametrize("known", [True, False])
def test_all_that_was_made_is_removed(owner: Owner, preparation: Preparation, known: bool) -> None:
    """Also if the spec is gone; what others have stays."""
    owner.rule(7, HOST)
    spec = owner.spec()
    before = owner.rules()
    preparation.prepare(spec)
    _remove(preparation, spec if known else None)
    assert owner.rules() == before
    assert owner.groups() == {}
    with pytest.raises(ClientError) as raised:
        owner.secret()
    assert error_code(raised.value) == "ParameterNotFound"


def test_a_removal_that_is_repeated_removes_nothing(owner: Owner, preparation: Preparation) -> None:
    """The parameter alone is asked for without a look at it."""
    preparation.prepare(owner.spec())
    _remove(preparation, owner.spec())
    assert _remove(preparation, owner.spec()) == ["the parameter /crossfade/preview/web"]


def test_what_another_crossfade_made_stays(owner: Owner, preparation: Preparation) -> None:
    """Two may serve services of the same name on one listener."""
    owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[ANSWER])
    other = Preparation(owner.ecs, owner.elbv2, owner.ssm, "web", "/other/services/")
    preparation.prepare(
        owner.spec(traffic=[{"listener": owner.listener, "priority": 200, "conditions": HOST}])
    )
    owner.serve("api", owner.target_group("api"))
    spec = owner.spec(
        like=owner.spec().like.replace("/web/web", "/web/api"),
        traffic=[{"listener": owner.listener, "priority": 300, "conditions": HOST}],
    )
    other.prepare(spec)
    _remove(preparation, None)
    assert other.missing(spec) == []
    assert set(owner.groups()) == {"api", *_slot_names(other)}


@pytest.mark.parametrize("told", [True, False])
def test_the_traffic_of_an_owners_rule_is_handed_back(
    owner: Owner, preparation: Preparation, told: bool
) -> None:
    """ELB deletes no group that a rule names, also with a weight of 0."""
    arn = owner.own_rule(100)
    spec = owner.spec(traffic=[{"rule": arn}])
    preparation.prepare(spec)
    assert preparation.beside(spec).owners == ()
    (groups,) = slot_groups(owner.elbv2, spec, PATH, owner.pattern)
    weights = [{"TargetGroupArn": groups.blue, "Weight": 0}, {"TargetGroupArn": owner.group, "Weight": 1}]
    owner.elbv2.modify_rule(
        RuleArn=arn, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]
    )
    refuse_live("web", preparation.beside(None))
    for step in handing_back(preparation.beside(None), {groups.blue: owner.group} if told else {}):
        preparation.take(step)
    assert _leads_to(owner.rules()["100"]) == [owner.group]
    _remove(preparation, None)
    assert owner.groups() == {}


def test_a_service_that_is_live_in_a_slot_does_not_leave(owner: Owner, preparation: Preparation) -> None:
    """Its clients would meet nobody."""
    arn = owner.own_rule(100)
    spec = owner.spec(traffic=[{"rule": arn}])
    preparation.prepare(spec)
    (groups,) = slot_groups(owner.elbv2, spec, PATH, owner.pattern)
    owner.elbv2.modify_rule(RuleArn=arn, Actions=[{"Type": "forward", "TargetGroupArn": groups.blue}])
    with pytest.raises(
        StillLive, match=r"listener-rule/app/web/.*\(priority 100, host-header shop.example\)"
    ):
        refuse_live("web", preparation.beside(spec))


@pytest.mark.parametrize("default", [True, False])
def test_the_default_action_takes_over_again(owner: Owner, preparation: Preparation, default: bool) -> None:
    """Without Crossfade's own rule it gets the requests, so it must lead where they went."""
    preparation.prepare(owner.spec())
    refuse_live("web", preparation.beside(None))
    if not default:
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
        owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[answer])
        with pytest.raises(StillLive, match="which leads elsewhere"):
            refuse_live("web", preparation.beside(None))


def test_a_rule_of_the_owner_with_the_same_conditions_takes_over(
    owner: Owner, preparation: Preparation
) -> None:
    """Without Crossfade's own rule for a host nobody else would serve it, and its clients would be lost."""
    owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[ANSWER])
    spec = owner.spec(traffic=[{"listener": owner.listener, "priority": 200, "conditions": HOST}])
    preparation.prepare(spec)
    forward = {"Type": "forward", "TargetGroupArn": owner.group}
    owner.rule(100, HOST, {**forward, "TargetGroupArn": owner.target_group("maintenance")})
    with pytest.raises(StillLive, match=r"the default rule.*leads elsewhere"):
        refuse_live("web", preparation.beside(None))
    owner.rule(300, HOST, forward)
    refuse_live("web", preparation.beside(None))


def test_a_rule_for_some_requests_leaves_the_default_action_its_own(
    owner: Owner, preparation: Preparation
) -> None:
    """Those that come by the default action would meet no task once the owner's service has stopped."""
    spec = owner.spec(traffic=[{"listener": owner.listener, "priority": 200, "conditions": HOST}])
    with pytest.raises(PatternUnusable, match=r"the default rule.*leads to it as well"):
        preparation.prepare(spec)


def test_a_secret_that_is_not_shown_yet_is_waited_for(
    owner: Owner, preparation: Preparation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two prepare at the same time; a rule made without the secret would let everybody past."""
    preparation.prepare(owner.spec())

    def unseen(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": "no"}}, "GetParameter")

    before = owner.rules()
    monkeypatch.setattr(owner.ssm, "get_parameter", unseen)
    with pytest.raises(NotYetVisible, match="/crossfade/preview/web already, but does not show it yet"):
        preparation.prepare(owner.spec())
    assert owner.rules() == before


def test_a_slot_without_its_group(owner: Owner) -> None:
    """The service was never prepared."""
    with pytest.raises(NotPrepared, match=r"has no target group cf-web-[0-9a-f]{6}-blue, which the slot"):
        slot_groups(owner.elbv2, owner.spec(), PATH, owner.pattern)
