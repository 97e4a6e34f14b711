"""What each handler asks of AWS, as this project understands it.

Two tests hold it to the truth: the template's policies must grant exactly this (``test_permissions.py``), and
no handler may call anything else when it runs (``tests/unit/handlers/conftest.py``).
"""

JOURNAL_READ = frozenset({"dynamodb:GetItem"})
JOURNAL_WRITE = frozenset({"dynamodb:UpdateItem"})
RULE = frozenset({"elasticloadbalancing:DescribeRules"})
HEALTH = frozenset({"elasticloadbalancing:DescribeTargetHealth"})
LEDGER = frozenset({"logs:GetLogEvents"})
SLOTS = frozenset({"ecs:DescribeServices"})
RESIZE = frozenset({"ecs:UpdateService"})

ACTIONS: dict[str, frozenset[str]] = {
    "plan": JOURNAL_READ | RULE | SLOTS
    | {
        "ssm:GetParameter", "ssm:GetParametersByPath", "ecr:DescribeImages", "ecr:DescribeRepositories",
        "elasticloadbalancing:DescribeTargetGroupAttributes", "ecs:DescribeTaskDefinition",
    },
    "claim": JOURNAL_READ | JOURNAL_WRITE | {"dynamodb:PutItem"},
    "register": frozenset(
        {"ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"}
    ),
    "start_probe": JOURNAL_WRITE | {"ecs:ListTasks", "ecs:RunTask", "iam:PassRole"},
    "check_probe": LEDGER | {"ecs:DescribeTasks"},
    "launch": JOURNAL_WRITE | SLOTS | RESIZE | {"ecs:CreateService"},
    "check_green": JOURNAL_WRITE | SLOTS | HEALTH | {"ecs:ListTasks", "ecs:DescribeTasks"},
    "watch": JOURNAL_WRITE | LEDGER,
    "shift": JOURNAL_READ | JOURNAL_WRITE | RULE | HEALTH | SLOTS
    | {"elasticloadbalancing:CreateRule", "elasticloadbalancing:ModifyRule"},
    "retire": JOURNAL_WRITE | LEDGER | RULE | SLOTS | RESIZE,
    "stop_probe": frozenset({"ecs:StopTask"}),
    "report": JOURNAL_READ | JOURNAL_WRITE | LEDGER | {"s3:PutObject", "states:GetExecutionHistory"},
    "release": JOURNAL_WRITE,
    "survey": JOURNAL_READ | JOURNAL_WRITE | {"ssm:GetParametersByPath"},
    "restore": JOURNAL_READ | JOURNAL_WRITE | RULE | HEALTH
    | {"elasticloadbalancing:ModifyRule", "elasticloadbalancing:DeleteRule"},
    "prove": LEDGER,
    "stop_slot": RULE | SLOTS | RESIZE,
    "cleanup": RULE | SLOTS
    | {
        "ssm:GetParameter", "elasticloadbalancing:DeleteRule", "ecs:DeleteService",
        "ecs:ListTaskDefinitions", "ecs:DeregisterTaskDefinition", "dynamodb:DeleteItem",
    },
}  # fmt: skip

IMPLIED = {
    "ecs:RegisterTaskDefinition": {"ecs:TagResource", "iam:PassRole"},
    "ecs:RunTask": {"iam:PassRole"},
}
"""Actions that AWS authorises along with a call, so that no call of that name is ever seen."""

_PREFIXES = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}


def actions_of(service: str, operation: str, arguments: dict) -> set[str]:
    """The IAM actions of one boto3 call, e.g. of ``elbv2`` ``DescribeRules``."""
    if operation == "TransactWriteItems":
        kinds = {kind for item in arguments["TransactItems"] for kind in item}
        return {f"dynamodb:{kind}Item" for kind in kinds}
    action = f"{_PREFIXES.get(service, service)}:{operation}"
    return {action} | IMPLIED.get(action, set())
