"""What clients get through the load balancer: weights, health, draining, bodies, ports, stacks."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from botocore.exceptions import ClientError

from tests.sandbox_parts.load_balancer.local_target import LocalTarget
from tests.sandbox_parts.load_balancer.running import NOBODY, UNTIL_MET, forward, free_port, get, until

pytestmark = pytest.mark.enable_socket


def test_the_default_action_answers(lb):
    """A listener answers as soon as it was created, itself and as awselb."""
    answer = get(lb)
    assert (answer.status_code, answer.text) == (503, "no version is live")
    assert answer.headers["Server"] == "awselb/2.0"


def test_a_target_sees_the_client_and_keeps_its_headers(lb):
    """The target's Server stays; the request gains X-Forwarded-*, and the query arrives as sent."""
    group = lb.group("10.0.0.1")
    lb.rule((group, 1))
    answer = get(lb, "/a%20b?c=%2Fd", headers={"X-Forwarded-For": "192.0.2.1"})
    assert (answer.status_code, answer.text, answer.headers["Server"]) == (200, "one", "target")
    seen = next(each for each in lb.targets["10.0.0.1"].seen if each["path"] == "/a%20b?c=%2Fd")
    assert seen["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", str(lb.port))


def test_clients_meet_a_change_of_weights_later(lb):
    """90:10 splits about so. A change to 0:100 is read at once and met later, on a kept connection too."""
    blue, green = lb.group("10.0.0.1"), lb.group("10.0.0.2")
    rule = lb.rule((blue, 90), (green, 10))
    with requests.Session() as client:
        split = Counter(client.get(lb.url, timeout=10).text for _ in range(400))
        assert split["two"] == pytest.approx(40, abs=30)
        lb.elbv2.modify_rule(RuleArn=rule, Actions=forward((blue, 0), (green, 100)))
        read = lb.elbv2.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
        assert "one" in {client.get(lb.url, timeout=10).text for _ in range(20)}
        time.sleep(UNTIL_MET)
        assert {client.get(lb.url, timeout=10).text for _ in range(50)} == {"two"}
    assert [group["Weight"] for group in read[0]["ForwardConfig"]["TargetGroups"]] == [0, 100]
    assert split.keys() == {"one", "two"}


def test_a_group_without_targets_answers_503(lb):
    """No failover: an empty group with weight fails its share; all weights 0 is a 503 as well."""
    blue, empty = lb.group("10.0.0.1"), lb.group()
    rule = lb.rule((blue, 1), (empty, 1))
    answers = [get(lb) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert {a.headers["Server"] for a in answers if a.status_code == 503} == {"awselb/2.0"}
    lb.modify(rule, (blue, 0), (empty, 0))
    assert get(lb).status_code == 503


def test_a_header_chooses_the_slot(lb):
    """A header rule goes before the one for everything, whatever the weights of that one."""
    blue, green = lb.group("10.0.0.1"), lb.group("10.0.0.2")
    header = {"HttpHeaderName": "x-crossfade-slot", "Values": ["green"]}
    lb.rule((green, 1), conditions=[{"Field": "http-header", "HttpHeaderConfig": header}])
    lb.rule((blue, 1))
    assert get(lb, headers={"X-Crossfade-Slot": "green"}).text == "two"
    assert get(lb).text == "one"


def test_health_follows_the_target(lb):
    """unused, initial, healthy, unhealthy with the code, then healthy again; traffic follows."""
    target = lb.targets["10.0.0.3"]
    group = lb.group("10.0.0.3", "10.0.0.1")
    assert lb.health(group)["10.0.0.3"]["Reason"] == "Target.NotInUse"
    lb.rule((group, 1))
    assert set(lb.states(group).values()) <= {"initial", "healthy"}
    until(lambda: set(lb.states(group).values()) == {"healthy"})
    try:
        target.health = 503
        until(lambda: lb.states(group)["10.0.0.3"] == "unhealthy")
        assert lb.health(group)["10.0.0.3"]["Reason"] == "Target.ResponseCodeMismatch"
        assert lb.health(group)["10.0.0.3"]["Description"] == "Health checks failed with these codes: [503]"
        assert {get(lb).text for _ in range(10)} == {"one"}
    finally:
        target.health = 200
    until(lambda: lb.states(group)["10.0.0.3"] == "healthy")
    assert {get(lb).text for _ in range(10)} == {"one", "three"}


def test_an_address_without_a_process_is_unhealthy_and_fails_open_to_502(lb):
    """Nothing listens: initial, then Target.FailedHealthChecks; requests still go there and get 502."""
    group = lb.group(NOBODY, "10.0.0.8")
    lb.rule((group, 1))
    assert {get(lb).status_code for _ in range(4)} == {502}
    until(lambda: set(lb.states(group).values()) == {"unhealthy"})
    assert {health["Reason"] for health in lb.health(group).values()} == {"Target.FailedHealthChecks"}
    answer = get(lb)
    assert (answer.status_code, answer.headers["Server"]) == (502, "awselb/2.0")


def test_a_malformed_answer_is_502_and_a_broken_one_breaks(lb):
    """Nonsense from a target is the load balancer's 502; an answer cut short is cut for the client too."""
    lb.rule((lb.group("10.0.0.1"), 1))
    answer = get(lb, "/nonsense")
    assert (answer.status_code, answer.headers["Server"]) == (502, "awselb/2.0")
    with pytest.raises(requests.exceptions.RequestException):
        get(lb, "/cut")


def test_a_silent_target_is_504(lb):
    """No answer within the load balancer's idle timeout is a 504."""
    lb.rule((lb.group("10.0.0.1"), 1))
    idle = "idle_timeout.timeout_seconds"
    lb.elbv2.modify_load_balancer_attributes(LoadBalancerArn=lb.arn, Attributes=[{"Key": idle, "Value": "1"}])
    try:
        assert get(lb, "/slow/3").status_code == 504
    finally:
        lb.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=lb.arn, Attributes=[{"Key": idle, "Value": "60"}]
        )


def test_a_connection_that_the_target_closed_is_not_the_clients_trouble(lb):
    """The target drops every connection at its second request: a fresh one is opened, nothing fails."""
    lb.rule((lb.group("10.0.0.2"), 1))
    with requests.Session() as client:
        assert [client.get(f"{lb.url}/once", timeout=10).status_code for _ in range(10)] == [200] * 10


def test_bodies_stream_both_ways(lb):
    """A large body comes back as it was sent, and so does one of unknown length."""
    lb.rule((lb.group("10.0.0.1"), 1))
    body = os.urandom(1 << 20) * 8
    assert requests.post(lb.url, data=body, timeout=20).content == body
    chunks = [b"a" * 70_000, b"b" * 70_000]
    assert requests.post(lb.url, data=iter(chunks), timeout=20).content == b"".join(chunks)


def test_deregistering_a_target_fails_no_request(lb):
    """A target leaves under load: its slow request ends well, new ones go elsewhere, none fails."""
    group = lb.group("10.0.0.1", "10.0.0.2")
    lb.rule((group, 1))
    until(lambda: set(lb.states(group).values()) == {"healthy"})
    stopping, before = threading.Event(), len(lb.targets["10.0.0.1"].seen)

    def slow_request_at(target: LocalTarget) -> bool:
        return any(seen["path"] == "/slow/1.5" for seen in target.seen)

    def client() -> list[tuple[int, str]]:
        answers = []
        with requests.Session() as session:
            while not stopping.wait(0.01):
                answer = session.get(f"{lb.url}/slow/0.02", timeout=10)
                answers.append((answer.status_code, answer.text))
        return answers

    with ThreadPoolExecutor(6) as pool:
        slow = [pool.submit(get, lb, "/slow/1.5") for _ in range(2)]  # round-robin: one for each target
        until(lambda: all(slow_request_at(lb.targets[ip]) for ip in ("10.0.0.1", "10.0.0.2")))
        load = [pool.submit(client) for _ in range(4)]
        until(lambda: len(lb.targets["10.0.0.1"].seen) > before + 20)
        lb.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.1", "Port": 8080}])
        assert lb.health(group)["10.0.0.1"] == {
            "State": "draining",
            "Reason": "Target.DeregistrationInProgress",
            "Description": "Target deregistration is in progress",
        }
        assert {get(lb).text for _ in range(10)} == {"two"}
        until(lambda: "10.0.0.1" not in lb.states(group))
        stopping.set()
        answers = [answer for future in load for answer in future.result()]
    assert {future.result().status_code for future in slow} == {200}
    assert {status for status, _ in answers} == {200}
    assert {name for _, name in answers} == {"one", "two"}


def test_ports_follow_listeners(lb):
    """A listener that moves takes its port along; a deleted one closes it; a taken one is refused."""
    old, lb.port = lb.port, free_port()
    lb.elbv2.modify_listener(ListenerArn=lb.listener, Port=lb.port)
    assert get(lb).status_code == 503

    def closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", old)) != 0

    until(closed)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ClientError, match=r"cannot be opened on 127\.0\.0\.1"):
            lb.elbv2.modify_listener(ListenerArn=lb.listener, Port=taken.getsockname()[1])


def test_a_stack_makes_the_same(process):
    """A template's listener, groups and header rule answer on localhost, and go with the stack."""
    port = free_port()
    kind = "AWS::ElasticLoadBalancingV2"
    fixed = {"StatusCode": "503", "ContentType": "text/plain", "MessageBody": "none"}
    group = {"Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip"}
    header = {"HttpHeaderName": "x-crossfade-slot", "Values": ["green"]}
    rule = {
        "ListenerArn": {"Ref": "Listener"},
        "Priority": 1,
        "Conditions": [{"Field": "http-header", "HttpHeaderConfig": header}],
        "Actions": forward(("Green", 1), ("Blue", 0)),
    }
    for each in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]:
        each["TargetGroupArn"] = {"Ref": each["TargetGroupArn"]}
    listener = {
        "LoadBalancerArn": {"Ref": "Balancer"},
        "Port": port,
        "Protocol": "HTTP",
        "DefaultActions": [{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    }
    template = {
        "Resources": {
            "Balancer": {"Type": f"{kind}::LoadBalancer", "Properties": {"Subnets": ["subnet-1"]}},
            "Blue": {"Type": f"{kind}::TargetGroup", "Properties": group},
            "Green": {"Type": f"{kind}::TargetGroup", "Properties": group},
            "Listener": {"Type": f"{kind}::Listener", "Properties": listener},
            "Rule": {"Type": f"{kind}::ListenerRule", "Properties": rule},
        },
        "Outputs": {
            "Name": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
            "Green": {"Value": {"Ref": "Green"}},
            "Rule": {"Value": {"Ref": "Rule"}},
        },
    }
    stacks = process.client("cloudformation")
    stacks.create_stack(StackName="lb", TemplateBody=json.dumps(template))

    def status() -> str:
        return str(stacks.describe_stacks(StackName="lb")["Stacks"][0]["StackStatus"])

    until(lambda: status() == "CREATE_COMPLETE")
    outputs = stacks.describe_stacks(StackName="lb")["Stacks"][0]["Outputs"]
    values = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    process.elbv2.register_targets(TargetGroupArn=values["Green"], Targets=[{"Id": "10.0.0.2", "Port": 8080}])
    url = f"http://{values['Name']}:{port}/"
    green = requests.get(url, headers={"x-crossfade-slot": "green"}, timeout=10)
    assert (values["Name"], green.text) == ("localhost", "two")
    tags = process.elbv2.describe_tags(ResourceArns=[values["Rule"]])["TagDescriptions"][0]["Tags"]
    assert {"Key": "aws:cloudformation:stack-name", "Value": "lb"} in tags
    assert requests.get(url, timeout=10).text == "none"
    stacks.delete_stack(StackName="lb")

    def closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    until(closed)
