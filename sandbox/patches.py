"""Every file that patches the emulator, in the order in which it is installed.

Of two patches of one target the later one is asked first: ECS's delays come after what changes its answers,
capacity comes after the rollouts whose tasks it refuses.
"""

from __future__ import annotations

from sandbox import load_balancer
from sandbox.autoscaling import calls as scaling_calls
from sandbox.autoscaling import policies
from sandbox.cloudformation import (
    clusters,
    ecs_services,
    names,
    nested_stacks,
    scaling,
    secrets,
    security_groups,
    task_definitions,
    templates,
)
from sandbox.cloudwatch import alarms, metric_data
from sandbox.ecr import calls as ecr_calls
from sandbox.ecs import calls as ecs_calls
from sandbox.ecs import (
    capacity,
    containers,
    credentials,
    dependencies,
    parameters,
    rollouts,
    service_properties,
    service_revisions,
    target_groups,
)
from sandbox.ecs import delays as ecs_delays
from sandbox.iam import conditions, further_rights, resources
from sandbox.lambda_ import bytecode, forked, functions
from sandbox.logs import delays as log_delays
from sandbox.logs import events
from sandbox.states import delays as execution_delays
from sandbox.states import executions, language
from sandbox.waf import web_acls

PATCHES = (
    credentials,
    ecr_calls,
    containers,
    dependencies,
    parameters,
    service_properties,
    service_revisions,
    ecs_calls,
    target_groups,
    rollouts,
    capacity,
    ecs_delays,
    scaling_calls,
    policies,
    resources,
    conditions,
    further_rights,
    names,
    templates,
    security_groups,
    secrets,
    task_definitions,
    clusters,
    ecs_services,
    scaling,
    nested_stacks,
    language,
    executions,
    execution_delays,
    functions,
    forked,
    bytecode,
    events,
    log_delays,
    metric_data,
    alarms,
    web_acls,
    *load_balancer.PATCHES,
)
