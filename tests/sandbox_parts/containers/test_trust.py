"""A task that asks an HTTPS listener: it trusts the sandbox's authority as a task on AWS trusts Amazon's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox_parts.containers.cluster import Cluster
from tests.sandbox_parts.containers.conftest import free_port

pytestmark = pytest.mark.enable_socket

PROGRAM = """\
import os, ssl, urllib.request, requests
url = os.environ["URL"]
print("python", urllib.request.urlopen(url, context=ssl.create_default_context()).status, flush=True)
session = requests.Session()
session.trust_env = False
print("requests", session.get(url).status_code, flush=True)
"""
DOCKERFILE = 'FROM python:3.13-slim\nCOPY main.py /\nCMD ["python", "/main.py"]\n'


def test_a_task_verifies_an_https_listener(cluster: Cluster, tmp_path: Path) -> None:
    """With Python's own means, and with `requests`, whose authorities are certifi's."""
    elb, port = cluster.sandbox.client("elbv2"), free_port()
    balancer = elb.create_load_balancer(Name="trusted")["LoadBalancers"][0]["LoadBalancerArn"]
    certificate = cluster.sandbox.client("acm").request_certificate(DomainName="localhost")["CertificateArn"]
    elb.create_listener(
        LoadBalancerArn=balancer,
        Port=port,
        Protocol="HTTPS",
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )
    (tmp_path / "main.py").write_text(PROGRAM)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    assert cluster.sandbox.push(tmp_path, "--tag", "trust", "--repository", "tasks").returncode == 0

    url = {"name": "URL", "value": f"https://localhost:{port}/"}
    task = cluster.run("tasks:trust", environment=[url])

    try:
        assert cluster.line(task, "requests") == "requests 200"
        assert "python 200" in cluster.lines(task)
    finally:
        elb.delete_load_balancer(LoadBalancerArn=balancer)
