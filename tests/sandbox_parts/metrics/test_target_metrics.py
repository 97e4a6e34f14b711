"""What the load balancer counts: real requests through a real data plane, at a time that the test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests
from ministack.services import alb

from sandbox.host.addresses import addresses
from sandbox.load_balancer import listeners, metrics, rules
from sandbox.load_balancer.listeners import DataPlane
from tests.sandbox_parts.containers.conftest import free_port, until
from tests.sandbox_parts.load_balancer.local_target import LocalTarget
from tests.sandbox_parts.metrics.conftest import Call, Clock

pytestmark = pytest.mark.enable_socket

TARGET, NOBODY, GONE = "10.0.0.1", "10.0.0.8", "10.0.0.9"


class Shop:
    """A load balancer with one listener, and its metrics."""

    def __init__(self, elbv2: Call, cloudwatch: Call, clock: Clock, counted: metrics.RequestMetrics) -> None:
        self.elbv2, self.cloudwatch, self.clock, self.counted = elbv2, cloudwatch, clock, counted
        self.port = free_port()
        self.arn = elbv2("CreateLoadBalancer", Name="lb")["LoadBalancers"][0]["LoadBalancerArn"]
        made = elbv2(
            "CreateListener",
            LoadBalancerArn=self.arn,
            Port=self.port,
            Protocol="HTTP",
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}],
        )
        self.listener = made["Listeners"][0]["ListenerArn"]

    def group(self, name: str, *ips: str) -> str:
        """A target group with these targets, live from now on."""
        made = self.elbv2("CreateTargetGroup", Name=name, Port=8080, Protocol="HTTP", TargetType="ip")
        arn = str(made["TargetGroups"][0]["TargetGroupArn"])
        if ips:
            self.elbv2(
                "RegisterTargets", TargetGroupArn=arn, Targets=[{"Id": ip, "Port": 8080} for ip in ips]
            )
        self.forward(arn)
        return arn

    def forward(self, group: str) -> None:
        """Send everything to that group, at once."""
        action = {"Type": "forward", "TargetGroupArn": group}
        self.elbv2("ModifyListener", ListenerArn=self.listener, DefaultActions=[action])
        rules.met.forget()

    def get(self, path: str = "/", times: int = 1) -> list[int]:
        """The statuses of these requests."""
        return [
            requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5).status_code for _ in range(times)
        ]

    def points(self, name: str, group: str | None) -> list[tuple[float, float]]:
        """(seconds, sum) of the last ten minutes, the newest first."""
        dimensions = [{"Name": "LoadBalancer", "Value": self.arn.split(":loadbalancer/")[1]}]
        if group:
            dimensions.insert(0, {"Name": "TargetGroup", "Value": group.rsplit(":", 1)[1]})
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": dimensions}
        answer = self.cloudwatch(
            "GetMetricData",
            MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
            StartTime=datetime.fromtimestamp(self.clock.now - 600, UTC),
            EndTime=datetime.fromtimestamp(self.clock.now, UTC),
        )
        (found,) = answer["MetricDataResults"]
        assert found["StatusCode"] == "Complete"
        return [
            (at.timestamp(), value) for at, value in zip(found["Timestamps"], found["Values"], strict=True)
        ]

    def sums(self, group: str | None) -> dict[str, float]:
        """Metric -> its sum, for those that have points."""
        names = [metrics.REQUESTS, metrics.CONNECTION_ERRORS, metrics.OWN_ERRORS]
        names += [metrics.target_code(status) for status in (200, 300, 400, 500)]
        points = {name: self.points(name, group) for name in names}
        return {name: sum(value for _, value in found) for name, found in points.items() if found}

    def minute_ends(self) -> None:
        """To the next minute, and to the publication."""
        self.clock.now = (self.clock.now // 60 + 1) * 60 + 5
        self.counted.publish()


@pytest.fixture
def target() -> Iterator[LocalTarget]:
    """A target that answers."""
    answering = LocalTarget("one")
    addresses.bind(TARGET, 8080, answering.server_address[1])
    addresses.bind(NOBODY, 8080, free_port())
    yield answering
    addresses.release(TARGET)
    addresses.release(NOBODY)
    answering.close()


@pytest.fixture
def shop(
    emulator: Callable[[str], Call], clock: Clock, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """The load balancer, serving."""
    counted, plane = metrics.RequestMetrics(clock), DataPlane()
    monkeypatch.setattr(listeners, "Proxy", lambda session: _Proxy(session, counted))
    monkeypatch.setattr(listeners, "data_plane", plane)
    monkeypatch.setattr("sandbox.load_balancer.api.data_plane", plane)
    plane.start()
    yield Shop(emulator("elbv2"), emulator("cloudwatch"), clock, counted)
    plane.stop()


_Proxy = listeners.Proxy


def test_each_group_has_its_requests_and_results(shop: Shop, target: LocalTarget) -> None:
    """By kind of answer; what did not happen has no point; the load balancer has the sum of its groups."""
    blue, green = shop.group("blue", TARGET), shop.group("green", TARGET)
    shop.forward(blue)
    assert shop.get(times=3) == [200] * 3
    shop.forward(green)
    shop.get(times=2)
    target.health = 500
    assert shop.get("/healthz", times=4) == [500] * 4
    target.health = 404
    shop.get("/healthz")
    shop.minute_ends()
    assert shop.sums(blue) == {"RequestCount": 3, "HTTPCode_Target_2XX_Count": 3}
    assert shop.sums(green) == {
        "RequestCount": 7,
        "HTTPCode_Target_2XX_Count": 2,
        "HTTPCode_Target_5XX_Count": 4,
        "HTTPCode_Target_4XX_Count": 1,
    }
    assert shop.sums(None) == {
        "RequestCount": 10,
        "HTTPCode_Target_2XX_Count": 5,
        "HTTPCode_Target_5XX_Count": 4,
        "HTTPCode_Target_4XX_Count": 1,
    }


def test_a_point_stands_at_its_minute_and_comes_after_it(shop: Shop, clock: Clock) -> None:
    """One point a minute, none for a minute without requests, none until it has been over for 5 s."""
    blue, first = shop.group("blue", TARGET), clock.now
    clock.now += 59.9
    shop.get(times=2)
    clock.now += 4
    shop.counted.publish()
    assert shop.points("RequestCount", blue) == []
    shop.get()  # belongs to the minute that has begun
    shop.minute_ends()
    shop.minute_ends()
    shop.get()
    shop.minute_ends()
    assert shop.points("RequestCount", blue) == [(first + 180, 1), (first + 60, 1), (first, 2)]


def test_no_connection(shop: Shop) -> None:
    """The target was chosen, so it is a request; no target answered, so there is no code but the own."""
    group = shop.group("blue", NOBODY)
    assert shop.get() == [502]
    shop.elbv2("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": NOBODY, "Port": 8080}])
    shop.elbv2("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": GONE, "Port": 8080}])
    assert shop.get() == [502]
    shop.minute_ends()
    assert shop.sums(group) == {"RequestCount": 2, "TargetConnectionErrorCount": 2}
    assert shop.sums(None) == {
        "RequestCount": 2,
        "TargetConnectionErrorCount": 2,
        "HTTPCode_ELB_5XX_Count": 2,
    }


def test_nonsense_is_no_connection_error(shop: Shop) -> None:
    """A connection was there; the load balancer's 502 is its own."""
    group = shop.group("blue", TARGET)
    assert shop.get("/nonsense") == [502]
    shop.minute_ends()
    assert shop.sums(group) == {"RequestCount": 1}
    assert shop.sums(None) == {"RequestCount": 1, "HTTPCode_ELB_5XX_Count": 1}


def test_without_a_target_there_is_no_request(shop: Shop) -> None:
    """RequestCount is of requests for which a target was chosen."""
    shop.group("blue")
    assert shop.get() == [503]
    shop.minute_ends()
    assert shop.sums(None) == {"HTTPCode_ELB_5XX_Count": 1}


def test_a_client_that_leaves_is_counted(shop: Shop) -> None:
    """Its request was sent to a target; there is no result of it."""
    group = shop.group("blue", TARGET)
    with pytest.raises(requests.Timeout):
        requests.get(f"http://127.0.0.1:{shop.port}/slow/1", timeout=0.2)
    until(lambda: any(shop.counted._minutes.values()))
    shop.minute_ends()
    assert shop.sums(group) == {"RequestCount": 1}


def test_health_checks_are_not_counted(shop: Shop, target: LocalTarget) -> None:
    """However many there are."""
    group = shop.group("blue", TARGET)
    alb._tgs[group]["HealthCheckIntervalSeconds"] = 1
    until(lambda: len(target.seen) > 1)
    shop.minute_ends()
    assert shop.sums(None) == {}


def test_the_beginning_is_rounded_down_to_its_minute(shop: Shop, clock: Clock) -> None:
    """As AWS rounds StartTime; ScanBy turns the order round."""
    group = shop.group("blue", TARGET)
    for _ in range(2):
        shop.get()
        shop.minute_ends()
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCount",
        "Dimensions": [
            {"Name": "LoadBalancer", "Value": shop.arn.split(":loadbalancer/")[1]},
            {"Name": "TargetGroup", "Value": group.rsplit(":", 1)[1]},
        ],
    }
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    answer = shop.cloudwatch(
        "GetMetricData",
        MetricDataQueries=[query, query | {"Id": "hidden", "ReturnData": False}],
        StartTime=datetime.fromtimestamp(clock.now - 80, UTC),
        EndTime=datetime.fromtimestamp(clock.now, UTC),
        ScanBy="TimestampAscending",
    )
    (found,) = answer["MetricDataResults"]
    begin = clock.now // 60 * 60
    assert [at.timestamp() for at in found["Timestamps"]] == [begin - 120, begin - 60]


def test_the_publisher_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread wakes up five seconds after a minute: it begins a moment before that."""
    moments = iter([64.95, 65.0])
    counted = metrics.RequestMetrics(lambda: next(moments))
    calls: list[int] = []
    monkeypatch.setattr(counted, "publish", lambda: calls.append(1))
    counted.start()
    until(lambda: calls, seconds=5)
    counted.stop()
    assert calls == [1]
