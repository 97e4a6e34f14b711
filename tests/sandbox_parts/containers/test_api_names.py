"""A template's properties under the names of the API."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.cloudformation.api_names import request

FAMILY = {"Family": "web", "ContainerDefinitions": [{"Name": "app", "Image": "web:1"}]}


def registered(**properties: Any) -> dict[str, Any]:
    """What RegisterTaskDefinition is called with for a template's task definition."""
    return request("ecs", "RegisterTaskDefinition", {**FAMILY, **properties})


def test_containers_have_ecs_names():
    """However deep they are nested; an owner's own keys stay."""
    of_template = {
        "Name": "app",
        "DependsOn": [{"ContainerName": "migrate", "Condition": "SUCCESS"}],
        "LinuxParameters": {"InitProcessEnabled": True},
        "DockerLabels": {"Team": "web"},
        "LogConfiguration": {"LogDriver": "splunk", "Options": {"SplunkToken": "x"}},
        "Secrets": [{"Name": "TOKEN", "ValueFrom": "arn:of-a-secret"}],
        "HealthCheck": {"Command": ["CMD", "true"], "StartPeriod": 5},
        "Ulimits": [{"Name": "nofile", "SoftLimit": 1, "HardLimit": 2}],
        "FirelensConfiguration": {"Type": "fluentbit", "Options": {"enable-ecs-log-metadata": "true"}},
    }
    (container,) = registered(ContainerDefinitions=[of_template])["containerDefinitions"]
    assert container == {
        "name": "app",
        "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
        "linuxParameters": {"initProcessEnabled": True},
        "dockerLabels": {"Team": "web"},
        "logConfiguration": {"logDriver": "splunk", "options": {"SplunkToken": "x"}},
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:of-a-secret"}],
        "healthCheck": {"command": ["CMD", "true"], "startPeriod": 5},
        "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
        "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}},
    }


def test_names_that_differ_in_more_than_their_first_letter():
    """Those of volumes on EFS, and of a proxy, which CloudFormation calls otherwise altogether."""
    efs = {"FilesystemId": "fs-1", "AuthorizationConfig": {"AccessPointId": "fsap-1", "IAM": "ENABLED"}}
    proxy = {"ContainerName": "envoy", "ProxyConfigurationProperties": [{"Name": "AppPorts", "Value": "80"}]}
    found = registered(Volumes=[{"Name": "data", "EFSVolumeConfiguration": efs}], ProxyConfiguration=proxy)

    assert found["volumes"] == [
        {
            "name": "data",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-1",
                "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
            },
        }
    ]
    assert found["proxyConfiguration"]["properties"] == [{"name": "AppPorts", "value": "80"}]


def test_a_value_has_the_type_of_the_call():
    """A parameter of a template is a string."""
    service = {"DesiredCount": "2", "EnableExecuteCommand": "false", "ServiceName": "web"}
    asked = request("ecs", "CreateService", service)

    assert asked == {"desiredCount": 2, "enableExecuteCommand": False, "serviceName": "web"}


def test_what_the_call_does_not_know_is_refused():
    """As CloudFormation does."""
    with pytest.raises(ValueError, match=r"extraneous key \[DesiredCuont\] is not permitted"):
        request("ecs", "CreateService", {"DesiredCuont": 2})
