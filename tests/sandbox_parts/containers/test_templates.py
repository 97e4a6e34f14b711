"""What the sandbox's CloudFormation makes of a template."""

from __future__ import annotations

from sandbox.cloudformation.templates import container_definitions


def test_containers_have_ecs_names():
    """However deep they are nested; an owner's own keys stay, and ECS fills in what it always says."""
    of_template = {
        "Name": "app",
        "DependsOn": [{"ContainerName": "migrate", "Condition": "SUCCESS"}],
        "LinuxParameters": {"InitProcessEnabled": True},
        "DockerLabels": {"Team": "web"},
        "LogConfiguration": {"LogDriver": "splunk", "Options": {"SplunkToken": "x"}},
    }
    assert container_definitions([of_template]) == [
        {
            "cpu": 0,
            "essential": True,
            "name": "app",
            "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
            "linuxParameters": {"initProcessEnabled": True},
            "dockerLabels": {"Team": "web"},
            "logConfiguration": {"logDriver": "splunk", "options": {"SplunkToken": "x"}},
        }
    ]
