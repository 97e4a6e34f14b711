"""What to do when AWS refuses a call for good, told by the code of its refusal."""

import re

_ADVICE = (
    (
        r"ExpiredToken|ClientTokenId|UnrecognizedClient|Signature|OptInRequired",
        "AWS did not accept the function's credentials: see that its role is there and that the account may "
        "use this service in this region.",
    ),
    (
        r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError",
        "Compare the role that AWS names with template.yaml. What is the service owner's (the pattern, a "
        "listener, a rule, a log group) must stand in the parameter Adopted of Crossfade's stack; if it is "
        "iam:PassRole, TaskRoles must allow the roles of the pattern's task definition. If all is right, a "
        "policy of the organization, of the key or of the resource denies it.",
    ),
    (
        r"NotFound|NoSuch|DoesNotExist|NotActive|Inactive",
        "What AWS names is gone or was never there: compare it with the service spec, put it back or correct "
        "the spec, then deploy again.",
    ),
    (
        r"LimitExceeded|QuotaExceeded|^TooMany",
        "A quota of the account is reached: have it raised in Service Quotas, or remove what is no longer "
        "used, then deploy again.",
    ),
    (
        r"^Invalid|Validation|ClientException|BadRequest|Malformed|Unsupported|PlatformUnknown|Incompatib",
        "Correct the value that AWS names, in the service spec, the pattern or the service's stack, then "
        "deploy again.",
    ),
)
"""The first pattern that is found in a code has its advice. What is gone is often *invalid* as well."""

_ELSE = "Crossfade has no advice for this code: go by AWS's words and its documentation of the call."


def advice(code: str) -> str:
    """What a person can do about a refusal, e.g. of code ``AccessDeniedException``."""
    return next((text for pattern, text in _ADVICE if re.search(pattern, code)), _ELSE)
