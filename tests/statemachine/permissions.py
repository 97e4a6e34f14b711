"""What each handler asks of AWS, as this project understands it.

Two tests hold it to the truth: the template's policies must grant exactly this (``test_permissions.py``), and
no handler may call anything else when it runs (``tests/unit/handlers/conftest.py``). What other owners of
roles do is read in ``roles.py``.
"""

from faults.law import PREFIXES

JOURNAL_READ = frozenset({"dynamodb:GetItem"})
JOURNAL_STATE = JOURNAL_READ | {"dynamodb:UpdateItem"}
JOURNAL_WRITE = JOURNAL_STATE | {"dynamodb:ConditionCheckItem"}
JOURNAL_OPEN = JOURNAL_STATE | {"dynamodb:PutItem"}
RULE = frozenset({"elasticloadbalancing:DescribeRules"})
HEALTH = frozenset({"elasticloadbalancing:DescribeTargetHealth"})
LEDGER = frozenset({"logs:GetLogEvents"})
FOLLOW = LEDGER | {"ecs:DescribeTasks"}
OUTCOMES = frozenset({"logs:FilterLogEvents", "cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"})
SLOTS = frozenset({"ecs:DescribeServices"})
RESIZE = frozenset({"ecs:UpdateService"})
STOP_TASKS = frozenset({"ecs:ListTasks", "ecs:StopTask"})
SPECS = frozenset({"ssm:GetParametersByPath"})
SERVICES = frozenset({"dynamodb:Query"})
OF_SCALING = frozenset(
    {
        "ecs:DescribeServices", "ecs:UpdateService",
        "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms",
    }
)  # fmt: skip
"""What Application Auto Scaling asks of its caller for an ECS service, says its user guide.

PutMetricAlarm and DeleteAlarms it tries with an alarm that has no name.
"""
SCALING = OF_SCALING | {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:RegisterScalableTarget",
}
READ_SCALING = frozenset(
    {"application-autoscaling:DescribeScalingPolicies", "application-autoscaling:DescribeScheduledActions"}
)
COPY_SCALING = READ_SCALING | {
    "cloudwatch:TagResource",
    *(
        f"application-autoscaling:{operation}"
        for operation in (
            "PutScalingPolicy", "DeleteScalingPolicy", "PutScheduledAction", "DeleteScheduledAction",
            "DeregisterScalableTarget", "TagResource", "ListTagsForResource",
        )
    ),
}  # fmt: skip
"""The candidate is scaled like the pattern."""
CAPACITY = SLOTS | RESIZE | HEALTH | {"application-autoscaling:DescribeScalableTargets"}
"""The candidate keeps up with the live slot, and the winner of a way back with the loser."""
STREAM = frozenset(
    {
        "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
    }
)  # fmt: skip
"""What Lambda asks, by the function's role, to read the stream of the journal's table for it."""
START = frozenset({"states:StartExecution"})
PREPARATION = frozenset(
    {
        "ssm:GetParameter", "ssm:PutParameter", "ssm:DeleteParameter",
        *(
            f"elasticloadbalancing:{operation}"
            for operation in (
                "DescribeListeners", "DescribeTags", "DescribeTargetGroups", "DescribeTargetGroupAttributes",
                "AddTags", "CreateTargetGroup", "ModifyTargetGroup", "ModifyTargetGroupAttributes",
                "DeleteTargetGroup", "CreateRule", "ModifyRule", "DeleteRule",
            )
        ),
    }
)  # fmt: skip
"""What is made beside the owner's load balancer, and removed."""

ACTIONS: dict[str, frozenset[str]] = {
    "plan_release": JOURNAL_READ | RULE | HEALTH | SLOTS | SPECS | SERVICES | READ_SCALING
    | {
        "ssm:GetParameter", "ecr:DescribeImages", "ecr:DescribeRepositories",
        "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroupAttributes",
        "ecs:DescribeServiceRevisions", "ecs:DescribeTaskDefinition", "logs:FilterLogEvents",
        "cloudwatch:DescribeAlarms", "elasticloadbalancing:DescribeListeners",
        "application-autoscaling:DescribeScalableTargets", "states:GetExecutionHistory",
    },
    "queue_release": JOURNAL_OPEN | {"dynamodb:ConditionCheckItem"},
    "claim_service": JOURNAL_OPEN,
    "register_task_definition": frozenset(
        {"ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"}
    ),
    "start_probe": JOURNAL_WRITE | {"ecs:ListTasks", "ecs:RunTask", "iam:PassRole"},
    "check_probe": JOURNAL_READ | FOLLOW,
    "suspend_scaling": JOURNAL_WRITE | SCALING | CAPACITY | COPY_SCALING,
    "launch_candidate": JOURNAL_WRITE | SLOTS | RESIZE 
    | {"ecs:CreateService", "ecs:TagResource", "iam:PassRole"},
    "check_candidate": JOURNAL_WRITE | SLOTS | HEALTH | {"ecs:ListTasks", "ecs:DescribeTasks"},
    "watch_stage": JOURNAL_WRITE | FOLLOW | OUTCOMES | CAPACITY | {"ecr:DescribeImages"},
    "shift_traffic": JOURNAL_WRITE | RULE | CAPACITY | {"elasticloadbalancing:ModifyRule"},
    "retire_stable": JOURNAL_WRITE | FOLLOW | OUTCOMES | RULE | CAPACITY,
    "resume_scaling": JOURNAL_STATE | SCALING,
    "stop_probe": STOP_TASKS | JOURNAL_READ,
    "write_report": JOURNAL_WRITE | LEDGER
    | {"s3:PutObject", "s3:AbortMultipartUpload", "states:GetExecutionHistory"},
    "record_outcome": JOURNAL_WRITE,
    "release_service": frozenset({"dynamodb:UpdateItem"}),
    "start_next": JOURNAL_STATE | SERVICES | START,
    "stop_old_slot": JOURNAL_STATE | RULE | HEALTH | SLOTS | RESIZE,
    "assess": JOURNAL_OPEN | SERVICES | {"states:DescribeExecution", "states:StopExecution"},
    "restore_weights": JOURNAL_WRITE | RULE | CAPACITY | {"elasticloadbalancing:ModifyRule"},
    "verify_restored": FOLLOW | JOURNAL_READ | HEALTH,
    "stop_loser": JOURNAL_WRITE | RULE | CAPACITY,
    "publish_events": STREAM | SERVICES | SPECS | {"events:PutEvents", "sqs:SendMessage"},
    "catch_up": JOURNAL_STATE | SPECS | START | READ_SCALING
    | {
        "ecr:DescribeImages", "ecs:DescribeServices", "ecs:DescribeServiceRevisions",
        "ecs:DescribeTaskDefinition", "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetGroupAttributes", "cloudwatch:DescribeAlarms",
        "application-autoscaling:DescribeScalableTargets",
    },
    "send_message": frozenset({"sns:Publish"}),
    "check_held": JOURNAL_READ | SERVICES,
    "cleanup": JOURNAL_OPEN | RULE | SLOTS | STOP_TASKS | PREPARATION
    | {
        "ecs:DeleteService", "states:StopExecution",
        "ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition", "ecs:DeregisterTaskDefinition",
        "ecs:DescribeTasks", "dynamodb:DeleteItem", "dynamodb:Query",
        "application-autoscaling:DescribeScalableTargets", "application-autoscaling:ListTagsForResource",
        "application-autoscaling:DeregisterScalableTarget",
        "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms",
    },
}  # fmt: skip

IMPLIED = {
    "ecs:CreateService": {"ecs:TagResource", "iam:PassRole"},
    "ecs:RegisterTaskDefinition": {"ecs:TagResource", "iam:PassRole"},
    "ecs:RunTask": {"iam:PassRole"},
    "elasticloadbalancing:CreateRule": {"elasticloadbalancing:AddTags"},
    "elasticloadbalancing:CreateTargetGroup": {"elasticloadbalancing:AddTags"},
    "application-autoscaling:RegisterScalableTarget": set(OF_SCALING),
    "application-autoscaling:PutScalingPolicy": set(OF_SCALING),
}
"""Actions that AWS authorises along with a call, so that no call of that name is ever seen."""

_PUTS = {"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}


def actions_of(service: str, operation: str, arguments: dict) -> set[str]:
    """The IAM actions of one boto3 call, e.g. of ``elbv2`` ``DescribeRules``."""
    if operation == "TransactWriteItems":
        kinds = {kind for item in arguments["TransactItems"] for kind in item}
        return {f"dynamodb:{kind.removesuffix('Item')}Item" for kind in kinds}
    if operation in _PUTS:
        operation = "PutObject"
    action = f"{PREFIXES.get(service, service)}:{operation}"
    tags = {"cloudwatch:TagResource"} if operation == "PutMetricAlarm" and arguments.get("Tags") else set()
    return {action} | IMPLIED.get(action, set()) | tags
