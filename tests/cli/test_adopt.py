"""`crossfade adopt`: what it finds, proposes and prints, and that only --apply changes anything."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from samcli.cli.types import CfnParameterOverridesType

from cli.adopt import MOST_SPEC_BYTES
from crossfade.aws.journal import Journal
from crossfade.domain.journal import DELETION
from crossfade.domain.spec.service import read_spec
from faults.aws.names import ACCOUNT, REGION
from tests.cli.owner import IMAGES, OUTPUTS, ROLE, Owner
from tests.unit.account import SESSION

LIKE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/web"
ADOPT = ("adopt", "--like", "shop/web")
LOGIN = {
    "Type": "authenticate-cognito",
    "Order": 1,
    "AuthenticateCognitoConfig": {
        "UserPoolArn": f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_1",
        "UserPoolClientId": "web",
        "UserPoolDomain": "web",
    },
}


def _wrong(found: dict[str, Any]) -> str:
    """What stands in the way, with the errors' names."""
    return "\n".join(f"{one['name']}: {one['text']}" for one in found["findings"] if one["level"] == "wrong")


def _warned(found: dict[str, Any]) -> str:
    return "\n".join(one["text"] for one in found["findings"] if one["level"] == "warning")


# ---- what is proposed -----------------------------------------------------------------------------------


def test_a_service_behind_the_default_action(owner: Owner) -> None:
    """The spec is valid, says what was found, and lies in a file."""
    found = owner.json(*ADOPT)
    spec = read_spec("web", json.dumps(found["spec"]))
    assert (spec.like, spec.release.repository, spec.tasks) == (LIKE, "team/web", 2)
    assert found["spec"]["traffic"] == [{"listener": owner.listener, "priority": "last"}]
    assert spec.probe.url == f"http://{owner.balancer['DNSName']}"
    assert spec.deploys("1.2.4")
    assert not spec.deploys("latest")
    assert json.loads(Path("web.crossfade.json").read_text()) == found["spec"]


def test_a_service_behind_a_rule_for_a_host(owner: Owner) -> None:
    """The rule is its owner's, and its host is the address by which clients come."""
    arn = owner.rule("shop.example")
    found = owner.json(*ADOPT)
    assert found["spec"]["traffic"] == [{"rule": arn}]
    assert found["spec"]["probe"]["url"] == "http://shop.example"
    assert found["parameters"]["Adopted"] == f"{LIKE},{arn}"


def test_all_rules_that_lead_to_it_are_its_traffic(owner: Owner) -> None:
    """On whichever listeners. The one for a host is what the probe asks, and all are given."""
    other = owner.listen(8080, {"Type": "forward", "TargetGroupArn": owner.group})
    path = owner.rule("shop.example", priority=101)
    owner.elbv2.modify_rule(
        RuleArn=path, Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/shop*"]}}]
    )
    host = owner.rule("www.shop.example", priority=102)
    found = owner.json(*ADOPT)
    assert found["spec"]["traffic"] == [
        {"rule": host}, {"rule": path}, {"listener": other, "priority": "last"},
    ]  # fmt: skip
    assert found["spec"]["probe"]["url"] == "http://www.shop.example"
    assert found["parameters"]["Adopted"] == f"{LIKE},{host},{path}"
    assert owner.json(*ADOPT, "--apply")["made"] == found["calls"]
    assert owner.json(*ADOPT)["calls"] == []


def test_a_service_of_two_ports(owner: Owner) -> None:
    """By HTTPS come the clients; the port of another image is not what the probe asks."""
    admin = owner.two_ports()
    found = owner.json(*ADOPT)
    assert found["spec"]["traffic"] == [
        {"listener": owner.listener, "priority": "last", "target_group": owner.group},
        {"listener": admin, "priority": "last", "target_group": owner.admin},
    ]
    assert found["spec"]["release"]["repository"] == "team/web"
    routes = [one["text"] for one in found["findings"] if one["what"] == "route"]
    assert len(routes) == 2
    assert owner.json(*ADOPT, "--apply")["made"] == found["calls"]
    assert owner.json(*ADOPT)["calls"] == []


def test_which_port_the_probe_asks_a_person_says(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing tells: of two ports of the released image."""
    monkeypatch.setattr("cli.__main__.is_person", lambda: True)
    admin = owner.two_ports(f"{IMAGES}/team/web:1.2.3")
    done = owner.run(*ADOPT, input="2\n\n\n\n\n")
    assert done.exit_code == 0, done.output
    assert "These rules lead to several ports" in done.stderr
    spec = json.loads(Path("web.crossfade.json").read_text())
    assert [entry["listener"] for entry in spec["traffic"]] == [owner.listener, admin]
    assert spec["preview"]["listener"] == owner.listener
    assert spec["probe"]["url"] == f"http://{owner.balancer['DNSName']}"


def test_it_has_another_name(owner: Owner) -> None:
    """That of the ECS service is a generated one, as often as not."""
    found = owner.json(*ADOPT, "--name", "shop")
    assert (found["spec"]["service"], found["file"]) == ("shop", "shop.crossfade.json")


@pytest.mark.parametrize(
    ("tag", "pattern"),
    [
        ("v1.2.3", r"^v?\d+\.\d+\.\d+$"),
        ("prod-1.2.3", r"^prod-v?\d+\.\d+\.\d+$"),
        ("417", r"^\d+$"),
        ("0a1b2c3d", "^[0-9a-f]{7,64}$"),
        ("latest", "^$"),
    ],
)
def test_tags_like_the_running_one_are_released(owner: Owner, tag: str, pattern: str) -> None:
    """One that says nothing of the next ones starts no deployment by a push."""
    owner.push("team/web", tag)
    owner.ecs.update_service(
        cluster="shop", service="web", taskDefinition=owner.define(f"{IMAGES}/team/web:{tag}")
    )
    assert owner.json(*ADOPT)["spec"]["release"]["push_tags"] == pattern


def test_the_images_of_all_stacks_are_not_released(owner: Owner) -> None:
    """CDK pushes them to one repository, each with a hash for a tag."""
    repository, tag = f"cdk-hnb659fds-container-assets-{ACCOUNT}-{REGION}", "ab" * 32
    owner.push(repository, tag)
    owner.ecs.update_service(
        cluster="shop", service="web", taskDefinition=owner.define(f"{IMAGES}/{repository}:{tag}")
    )
    assert owner.json(*ADOPT)["spec"]["release"] == {"repository": repository, "push_tags": "^$"}


def test_what_is_said_is_taken(owner: Owner) -> None:
    """And is written over what a file says, which is otherwise taken as it is."""
    said = ("--url", "https://shop.example", "--push-tags", "^x$", "--connect-to", "10.0.0.1:443")
    version = ("--version-path", "/health", "--version-from", "header:X-Version", "--expect", "^prod-(.*)$")
    spec = owner.json(*ADOPT, *said, *version)["spec"]
    assert (spec["probe"]["url"], spec["release"]["push_tags"]) == ("https://shop.example", "^x$")
    assert spec["probe"]["connect_to"] == "10.0.0.1:443"
    expected = {"path": "/health", "from": {"header": "X-Version"}, "expect": {"tag": "^prod-(.*)$"}}
    assert spec["version"] == expected
    file = Path("web.crossfade.json")
    file.write_text(json.dumps(spec | {"tasks": 7}))
    again = owner.json(*ADOPT, "--push-tags", "^y$")["spec"]
    assert again == spec | {"tasks": 7, "release": spec["release"] | {"push_tags": "^y$"}}


def test_a_person_is_asked_for_what_cannot_be_known(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proposal for each answer."""
    monkeypatch.setattr("cli.__main__.is_person", lambda: True)
    owner.rule("shop.example", LOGIN)
    answers = "\n^v.*$\n/health\nnone\ny\n"
    done = owner.run(*ADOPT, input=answers)
    assert done.exit_code == 0, done.output
    spec = json.loads(Path("web.crossfade.json").read_text())
    assert spec["probe"]["url"] == "http://shop.example"
    assert spec["release"]["push_tags"] == "^v.*$"
    assert spec["version"] == {"path": "/health", "from": "none"}
    assert spec["login_bypass"] is True


def test_an_address_that_only_the_owner_knows(owner: Owner) -> None:
    """A certificate is for a name, and the load balancer's own is not that."""
    certificate = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1"
    owner.shows["DescribeListeners"] = lambda answer: [
        one.update({"Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]})
        for one in answer["Listeners"]
    ]
    done = owner.run(*ADOPT, "--json")
    assert done.exit_code == 1
    assert "Say it with --url" in done.stderr
    assert owner.json(*ADOPT, "--url", "https://shop.example")["spec"]["probe"]["url"]


# ---- what is done ----------------------------------------------------------------------------------------


def test_without_apply_nothing_is_changed(owner: Owner) -> None:
    """Not by any call."""
    assert owner.run(*ADOPT).exit_code == 0
    assert owner.calls
    assert owner.writes == []


def test_apply_makes_the_calls_that_are_shown(owner: Owner) -> None:
    """In their order, with what was made in place of its name, and the secret in its own."""
    shown = owner.json(*ADOPT)["calls"]
    applied = owner.json(*ADOPT, "--apply")
    assert applied["calls"] == shown == applied["made"]
    made = [(service, operation, given) for service, operation, given in owner.writes]
    assert len(made) == len(shown)
    for (service, operation, given), step in zip(made, shown, strict=True):
        call = step["call"]
        assert (service, operation) == (call["service"], _camel(call["operation"]))
        assert _fits(call["arguments"], given)
    assert "{secret}" not in json.dumps(owner.writes)


def _camel(operation: str) -> str:
    return "".join(word.title() for word in operation.split("_"))


def _fits(shown: Any, made: Any) -> bool:
    """Whether a call is as it was shown, but for what stands in the place of something."""
    if isinstance(shown, dict):
        return shown.keys() == made.keys() and all(_fits(shown[key], made[key]) for key in shown)
    if isinstance(shown, list):
        return len(shown) == len(made) and all(map(_fits, shown, made))
    if isinstance(shown, str) and ("{secret}" in shown or re.fullmatch("<.*>", shown)):
        return shown != made
    return bool(shown == made)


def test_every_call_is_shown_with_the_one_that_undoes_it(owner: Owner) -> None:
    """Made from the last to the first, they leave what was there before."""
    before = _state(owner)
    steps = owner.json(*ADOPT, "--apply")["made"]
    assert _state(owner) != before
    arns = _made(owner)
    for step in reversed(steps):
        service, operation, arguments = (
            step["inverse"][key] for key in ("service", "operation", "arguments")
        )
        known = {key: arns.get(value, value) for key, value in arguments.items()}
        getattr({"elbv2": owner.elbv2, "ssm": owner.ssm}[service], operation)(**known)
    assert _state(owner) == before


def _state(owner: Owner) -> tuple[list[Any], list[str], list[str]]:
    rules = owner.elbv2.describe_rules(ListenerArn=owner.listener)["Rules"]
    groups = owner.elbv2.describe_target_groups()["TargetGroups"]
    parameters = owner.ssm.describe_parameters()["Parameters"]
    return rules, [one["TargetGroupArn"] for one in groups], [one["Name"] for one in parameters]


def _made(owner: Owner) -> dict[str, str]:
    """The ARNs of what was made, by the names that stand in their place."""
    rules = {one["Priority"]: one["RuleArn"] for one in _state(owner)[0]}
    roles = {"1": "blue", "2": "green", "3": "pattern"}
    groups = owner.elbv2.describe_target_groups()["TargetGroups"]
    return {
        "<the production rule>": rules["50000"],
        **{f"<the preview rule of {role}>": rules[place] for place, role in roles.items()},
        **{f"<{one['TargetGroupName']}>": one["TargetGroupArn"] for one in groups},
    }


def test_a_second_time_nothing_is_left_to_do(owner: Owner) -> None:
    """By the file, and by the parameter where there is no file."""
    owner.json(*ADOPT, "--apply")
    assert owner.json(*ADOPT, "--apply")["made"] == []
    assert owner.writes == []
    Path("web.crossfade.json").unlink()
    assert owner.json(*ADOPT, "--apply")["calls"] == []


def test_a_service_that_is_live_in_a_slot(owner: Owner) -> None:
    """Its rule leads to Crossfade's group, and no more to the owner's service."""
    arn = owner.rule("shop.example")
    owner.json(*ADOPT, "--apply")
    groups = owner.elbv2.describe_target_groups()["TargetGroups"]
    blue = next(one["TargetGroupArn"] for one in groups if one["TargetGroupName"].endswith("-blue"))
    owner.elbv2.modify_rule(RuleArn=arn, Actions=[{"Type": "forward", "TargetGroupArn": blue}])
    assert owner.json(*ADOPT)["calls"] == []


def test_a_changed_spec_is_written_over_the_old_one(owner: Owner) -> None:
    """And the inverse writes the old one back."""
    old = owner.json(*ADOPT, "--apply")["spec"]
    (step,) = owner.json(*ADOPT, "--push-tags", "^v.*$", "--apply")["made"]
    assert step["call"]["operation"] == "put_parameter"
    assert json.loads(step["inverse"]["arguments"]["Value"]) == old
    stored = owner.ssm.get_parameter(Name="/crossfade/services/web")["Parameter"]["Value"]
    assert json.loads(stored)["release"]["push_tags"] == "^v.*$"


def test_a_file_of_another_service(owner: Owner) -> None:
    """It is not written over."""
    Path("web.crossfade.json").write_text(
        json.dumps({"service": "web", "like": LIKE.replace("/shop/", "/test/")})
    )
    done = owner.run(*ADOPT)
    assert (done.exit_code, "is of another service" in done.stderr) == (1, True)
    assert "/test/" in Path("web.crossfade.json").read_text()


# ---- rights ------------------------------------------------------------------------------------------------


def test_the_stack_is_given_exact_arns(owner: Owner) -> None:
    """In a line that is ready for sam, beside what it was given before."""
    other = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/api"
    owner.parameters["Adopted"] = other
    found = owner.json(*ADOPT)
    roles = f"arn:aws:iam::{ACCOUNT}:role/crossfade/tasks/*,{ROLE}"
    assert found["parameters"] == {"Adopted": f"{other},{LIKE}", "TaskRoles": roles}
    assert found["adopted_bytes_left"] == 4_096 - len(f"{other},{LIKE}")
    overrides = shlex.split(found["deploy"])[5:]
    read = CfnParameterOverridesType().convert(tuple(overrides), None, None)
    assert read == found["parameters"]


def test_what_the_stack_was_given_is_not_asked_for(owner: Owner) -> None:
    """By exact ARNs or by patterns."""
    owner.parameters |= {"Adopted": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/*", "TaskRoles": ROLE}
    found = owner.json(*ADOPT)
    assert (found["parameters"], found["deploy"]) == ({}, None)


def test_a_list_that_would_be_too_long(owner: Owner) -> None:
    """CloudFormation takes 4,096 bytes."""
    owner.parameters["Adopted"] = ",".join(f"{LIKE}-{n:02}" for n in range(75))
    found = owner.json(*ADOPT, status=1)
    assert re.search(r"bytes too long: name patterns in it", _wrong(found))


def test_the_log_of_an_outcome_feed_is_given(owner: Owner) -> None:
    """Where the spec asks for one."""
    logs = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": "/web", "awslogs-stream-prefix": "web", "awslogs-region": REGION},
    }
    container = {
        "name": "app", "image": f"{IMAGES}/team/web:1.2.3", "memory": 512,
        "portMappings": [{"containerPort": 8080}], "logConfiguration": logs,
    }  # fmt: skip
    owner.ecs.update_service(
        cluster="shop", service="web", taskDefinition=owner.define(containerDefinitions=[container])
    )
    spec = owner.json(*ADOPT)["spec"]
    Path("web.crossfade.json").write_text(json.dumps(spec | {"gate": {"users": "feed"}}))
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/web:*"
    assert owner.json(*ADOPT)["parameters"]["Adopted"] == f"{LIKE},{group}"


# ---- what stands in the way --------------------------------------------------------------------------------

SHOWN: dict[str, tuple[dict[str, Any], str]] = {
    "controller": ({"deploymentController": {"type": "CODE_DEPLOY"}}, "deployment controller is CODE_DEPLOY"),
    "strategy": ({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}, "strategy is BLUE_GREEN"),
    "daemon": ({"schedulingStrategy": "DAEMON"}, "scheduling strategy is DAEMON"),
    "express": ({"resourceManagementType": "ECS"}, "Express Mode"),
    "ec2": ({"launchType": "EC2"}, "run on EC2"),
    "discovery": ({"serviceRegistries": [{"registryArn": "arn:1"}]}, "service discovery"),
    "connect": (
        {
            "deployments": [
                {
                    "status": "PRIMARY",
                    "serviceConnectConfiguration": {"enabled": True, "services": [{"portName": "http"}]},
                }
            ]
        },
        "offers http by Service Connect",
    ),
    "lattice": (
        {"deployments": [{"status": "PRIMARY", "vpcLatticeConfigurations": [{"roleArn": ROLE}]}]},
        "target of VPC Lattice",
    ),
}  # fmt: skip
"""What ECS shows of a service that cannot be a pattern, and what is said of it."""


@pytest.mark.parametrize("kind", SHOWN)
def test_a_service_that_cannot_be_a_pattern(owner: Owner, kind: str) -> None:
    """By the function of the plan; nothing is changed, with --apply either."""
    fields, said = SHOWN[kind]
    owner.shows_service(**fields)
    found = owner.json(*ADOPT, "--apply", status=1)
    assert re.search(f"PatternUnusable: .*{said}", _wrong(found))
    assert (owner.writes, found["made"]) == ([], [])


def _sticky_group(owner: Owner) -> None:
    attribute = {"Key": "stickiness.enabled", "Value": "true"}
    owner.elbv2.modify_target_group_attributes(TargetGroupArn=owner.group, Attributes=[attribute])


def _sticky_rule(owner: Owner) -> None:
    arn = owner.rule("shop.example")
    config = {
        "TargetGroups": [{"TargetGroupArn": owner.group, "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
    }
    owner.elbv2.modify_rule(RuleArn=arn, Actions=[{"Type": "forward", "ForwardConfig": config}])


def _certificates(owner: Owner) -> None:
    owner.shows["DescribeListeners"] = lambda answer: answer["Listeners"][0].update(
        MutualAuthentication={"Mode": "verify"}
    )


def _login(owner: Owner) -> None:
    owner.rule("shop.example", LOGIN)


def _login_by_default(owner: Owner) -> None:
    forward = {"Type": "forward", "Order": 2, "TargetGroupArn": owner.group}
    owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[LOGIN, forward])


def _covered(owner: Owner) -> None:
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
    everything = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
    owner.elbv2.create_rule(ListenerArn=owner.listener, Priority=5, Conditions=[everything], Actions=[answer])


def _no_place(owner: Owner) -> None:
    owner.rule("shop.example", priority=1)


def _role_of_nobody(owner: Owner) -> None:
    definition = owner.define(executionRoleArn="")
    owner.ecs.update_service(cluster="shop", service="web", taskDefinition=definition)


def _no_image(owner: Owner) -> None:
    definition = owner.define(f"{IMAGES}/team/web:9.9.9")
    owner.ecs.update_service(cluster="shop", service="web", taskDefinition=definition)


def _elsewhere_mapped(owner: Owner) -> None:
    container = {
        "name": "app",
        "image": f"{IMAGES}/team/web:1.2.3",
        "memory": 512,
        "portMappings": [{"containerPort": 9}],
    }
    owner.ecs.update_service(
        cluster="shop", service="web", taskDefinition=owner.define(containerDefinitions=[container])
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_sticky_group, "PatternUnusable: .*is sticky"),
        (_sticky_rule, "StickyTraffic: Sticky sessions are on"),
        (_certificates, r"PatternUnusable: .*asks for a client's certificate \(verify\)"),
        (_login, "PatternUnusable: .*asks for a login, which the probe has not"),
        (_login_by_default, "PatternUnusable: .*put the login and the forward into a rule"),
        (_covered, "RuleCovers: .*takes every request"),
        (_no_place, "NotPrepared: .*there is no free place before it"),
        (_role_of_nobody, "PatternUnusable: .*executionRoleArn is not set"),
        (_no_image, "ImageTagNotFound: .*no image tagged 9.9.9"),
        (_elsewhere_mapped, "PatternUnusable: .*maps 9, and the service's target group reaches it at 8080"),
    ],
)
def test_what_cannot_be_deployed(owner: Owner, make: Callable[[Owner], None], said: str) -> None:
    """By the functions of plan and preparation; nothing is changed, with --apply either."""
    make(owner)
    found = owner.json(*ADOPT, "--apply", status=1)
    assert re.search(said, _wrong(found))
    assert owner.writes == []


def _two_groups(owner: Owner) -> None:
    owner.reached_by(owner.target_group("two"))


def _unreached_port(owner: Owner) -> None:
    group = owner.target_group("two")
    owner.reached_by(group)
    weights = [
        {"TargetGroupArn": group, "Weight": 0},
        {"TargetGroupArn": owner.target_group("shop"), "Weight": 1},
    ]
    owner.listen(8080, {"Type": "forward", "ForwardConfig": {"TargetGroups": weights}})


def _two_balancers(owner: Owner) -> None:
    group = owner.target_group("two")
    owner.reached_by(group)
    other = owner.elbv2.create_load_balancer(Name="other", Subnets=owner.subnets)["LoadBalancers"][0]
    owner.elbv2.create_listener(
        LoadBalancerArn=other["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )


def _rule_to_both(owner: Owner) -> None:
    group = owner.target_group("two")
    owner.reached_by(group)
    both = [{"TargetGroupArn": arn, "Weight": 1} for arn in (owner.group, group)]
    owner.listen(8080, {"Type": "forward", "ForwardConfig": {"TargetGroups": both}})


def _no_group(owner: Owner) -> None:
    owner.shows_service(loadBalancers=[])


def _network_balancer(owner: Owner) -> None:
    owner.shows["DescribeLoadBalancers"] = lambda answer: answer["LoadBalancers"][0].update(Type="network")


def _no_rule(owner: Owner) -> None:
    answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    owner.elbv2.modify_listener(ListenerArn=owner.listener, DefaultActions=[answer])


def _registry_of_others(owner: Owner) -> None:
    definition = owner.define("public.ecr.aws/nginx/nginx:1.27")
    owner.ecs.update_service(cluster="shop", service="web", taskDefinition=definition)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_two_groups, "targetgroup/two/.* belongs to no load balancer: .*or take it out of the service"),
        (_unreached_port, r"No rule leads to proxy:9090 \(.*targetgroup/two/"),
        (_two_balancers, "belong to several load balancers, .*/(web|other)/.*, .* an ECS service of its own"),
        (_rule_to_both, "leads to several ports of .* Let it lead to one"),
        (_no_group, "has no target group"),
        (_network_balancer, "network load balancer .* has no weights"),
        (_no_rule, "belongs to no load balancer|No rule of the load balancer leads to"),
        (_registry_of_others, "which is in no ECR repository of this account and region"),
    ],
)
def test_what_cannot_be_followed(owner: Owner, make: Callable[[Owner], None], said: str) -> None:
    """There is no spec to be proposed: the sentence says where the way ends, and what to do."""
    make(owner)
    done = owner.run(*ADOPT, "--apply")
    assert done.exit_code == 1
    assert re.search(said, done.stderr)
    assert owner.writes == []


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (("--like", "web"), "is no ECS service: name its cluster", 2),
        (("--like", "shop/gone"), "has no active service gone", 1),
        (("--like", "gone/web"), "There is no cluster gone", 1),
        (("--like", "shop/web", "--stack", "other"), "There is no stack other", 1),
        (("--like", "shop/web", "--name", "a.b"), "cannot be a service's name", 1),
        (("--like", "shop/web", "--push-tags", "("), "is not a regular expression", 1),
        (("--like", "shop/web", "--version-from", "xml:/a"), "is none of json:POINTER", 2),
    ],
)
def test_wrong_arguments(owner: Owner, arguments: tuple[str, ...], said: str, status: int) -> None:
    """What is wrong, and no traceback."""
    done = owner.run("adopt", *arguments)
    assert (done.exit_code, said in done.stdout + done.stderr) == (status, True)
    assert owner.writes == []


def test_a_spec_that_is_too_long(owner: Owner) -> None:
    """SSM takes 4,096 bytes."""
    spec = owner.json(*ADOPT)["spec"]
    Path("web.crossfade.json").write_text(json.dumps(spec | {"alarms": ["x" * 250] * 17}))
    assert f"a parameter holds {MOST_SPEC_BYTES}" in _wrong(owner.json(*ADOPT, status=1))


def test_refused_credentials_end_with_status_2(owner: Owner) -> None:
    """In AWS's own words."""

    def refuse(answer: dict[str, Any]) -> None:
        said = {"Code": "AccessDeniedException", "Message": "not authorized to perform: ecs:DescribeServices"}
        raise ClientError({"Error": said}, "DescribeServices")

    owner.shows["DescribeServices"] = refuse
    done = owner.run(*ADOPT)
    assert (done.exit_code, "not authorized to perform" in done.stderr) == (2, True)


def test_a_service_whose_removal_is_not_at_its_end(owner: Owner) -> None:
    """It was adopted again, and every release of it ended ServiceBusy, for a reason that named no way out."""
    Journal(SESSION.client("dynamodb"), OUTPUTS["Journal"]).holding.seize("web", DELETION)
    wrong = [one for one in owner.json(*ADOPT, status=1)["findings"] if one["level"] == "wrong"]
    assert [one["name"] for one in wrong] == ["ServiceBusy"]
    assert "call crossfade leave web again" in wrong[0]["text"]


# ---- what the owner should know ----------------------------------------------------------------------------


def test_warnings(owner: Owner) -> None:
    """Slow start, what is not copied, and what goes silent; none of it stands in the way."""
    attribute = {"Key": "slow_start.duration_seconds", "Value": "30"}
    owner.elbv2.modify_target_group_attributes(TargetGroupArn=owner.group, Attributes=[attribute])
    owner.shows_service(availabilityZoneRebalancing="ENABLED")
    dimensions = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]
    elsewhere = [{"Name": "ClusterName", "Value": "test"}, dimensions[1]]
    for name, own in (
        ("ours", dimensions),
        ("others_cluster", elsewhere),
        ("others", [dimensions[0], {"Name": "ServiceName", "Value": "api"}]),
    ):
        owner.cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=own,
            Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=80,
            ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    metric = ["AWS/ApplicationELB", "RequestCount", "TargetGroup", owner.group.rpartition(":")[2]]
    body = {"widgets": [{"type": "metric", "properties": {"metrics": [metric]}}]}
    owner.cloudwatch.put_dashboard(DashboardName="shop", DashboardBody=json.dumps(body))
    warned = _warned(owner.json(*ADOPT))
    assert "slow start of 30 s" in warned
    assert "Availability Zone rebalancing" in warned
    assert re.search("^ours: by the name of the owner's service", warned, re.MULTILINE)
    assert re.search("^shop: by the name of the owner's service", warned, re.MULTILINE)
    assert "others" not in warned


def test_what_measures_a_further_port_goes_silent_too(owner: Owner) -> None:
    """By the name of its own target group."""
    owner.two_ports()
    metric = ["AWS/ApplicationELB", "RequestCount", "TargetGroup", owner.admin.rpartition(":")[2]]
    body = {"widgets": [{"type": "metric", "properties": {"metrics": [metric]}}]}
    owner.cloudwatch.put_dashboard(DashboardName="admin", DashboardBody=json.dumps(body))
    assert re.search("^admin: by the name of the owner's service", _warned(owner.json(*ADOPT)), re.MULTILINE)


def test_an_alarm_of_step_scaling_is_copied_and_so_not_silent(owner: Owner) -> None:
    """Where it does no more than to scale; who else is told by it is told no more."""
    autoscaling = SESSION.client("application-autoscaling")
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/shop/web",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    autoscaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
    steps = {
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
    }
    policy = autoscaling.put_scaling_policy(
        **target, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
    )["PolicyARN"]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:page"
    dimensions = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]
    for name, actions in (("scales", [policy]), ("scales-and-pages", [policy, topic])):
        owner.cloudwatch.put_metric_alarm(
            AlarmName=name, Namespace="AWS/ECS", MetricName="CPUUtilization", Dimensions=dimensions,
            Statistic="Average", Period=60, EvaluationPeriods=1, Threshold=80,
            ComparisonOperator="GreaterThanThreshold", AlarmActions=actions,
        )  # fmt: skip
    warned = _warned(owner.json(*ADOPT))
    assert re.search("^scales-and-pages: by the name of the owner's service", warned, re.MULTILINE)
    assert "not copied into a release: other actions of the alarm scales-and-pages" in warned


def test_a_web_acl_is_named_with_what_the_probe_sends(owner: Owner) -> None:
    """One rate rule that the probe would meet, one that it would not."""
    owner.acl(usual=2_000, generous=100_000)
    warned = _warned(owner.json(*ADOPT))
    assert "probe sends 50 requests per second from one address, as crossfade-probe" in warned
    assert "rule usual allows 2000 in 300 s, and the probe sends 15000" in warned
    assert "generous" not in warned


def test_no_web_acl(owner: Owner) -> None:
    """AWS WAF may say so by an error."""

    def none(_: dict[str, Any]) -> dict[str, Any]:
        said: Any = {"Code": "WAFNonexistentItemException", "Message": "none"}
        raise ClientError({"Error": said}, "GetWebACLForResource")

    owner.answers["GetWebACLForResource"] = none
    assert "web ACL" not in _warned(owner.json(*ADOPT))


def test_what_may_not_be_looked_at_is_said(owner: Owner) -> None:
    """It need not be there, so that nothing is stopped by it."""

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        said: Any = {"Code": "AccessDeniedException", "Message": "no"}
        raise ClientError({"Error": said}, "ListDashboards")

    owner.answers["ListDashboards"] = refuse
    assert "could not be looked at with these credentials" in _warned(owner.json(*ADOPT))


def test_it_is_shown_to_a_person(owner: Owner) -> None:
    """Findings, spec, calls with inverses, rights, and what the owner adds; each can be copied."""
    done = owner.run(*ADOPT)
    for part in (
        "ok      route: ", "Calls that --apply makes, none of which was made",
        "aws elbv2 create-rule --cli-input-json '{", "undone by: aws elbv2 delete-rule",
        "sam deploy --stack-name crossfade --parameter-overrides", "bytes left then",
        "addPropertyOverride('DesiredCount', 0)", "set-stack-policy",
    ):  # fmt: skip
        assert part in done.stdout
    commands = [line for line in done.stdout.splitlines() if line.startswith("  aws elbv2")]
    assert all(json.loads(shlex.split(line)[-1]) for line in commands)
