"""A title and a few sentences for a person, for each thing that can happen."""

from crossfade.domain.events.event import Happening

TITLES = {
    "waiting": "{to} waits",
    "superseded": "{to} is dropped",
    "begun": "the deployment of {to} has begun",
    "launched": "the tasks of {to} are being started",
    "healthy": "{to} is healthy",
    "stage": "{to} gets {weight} % of the traffic",
    "judged": "{to} is to be rolled back",
    "restored": "all traffic is back with {from_}",
    "promoted": "{to} is live",
}
VERDICTS = {
    "advance": "{to} has passed the stage of {weight} %",
    "step_back": "{to} is taken back to 0 %",
    "roll_back": "{to} is to be rolled back",
}
OUTCOMES = {
    "promoted": "{to} was promoted",
    "rolled_back": "{to} was rolled back",
    "failed": "the deployment of {to} failed",
    "refused": "{to} was refused",
}
LEAVING = {
    "begun": "the service is being handed back to its owner, with {to}",
    "promoted": "the owner's own service is live again, with {to}",
}
"""In the place of ``TITLES`` and ``OUTCOMES`` where a service leaves: its version does not change."""
ADVICE = {
    "waiting": "Another deployment holds the service. It is deployed next, unless a newer one comes. "
    "There is nothing to do.",
    "superseded": "Nothing of it was deployed. To deploy it all the same, start its deployment by hand.",
    "step_back": "Clients get {from_} alone. {to} is watched on without them: it climbs again when it is "
    "well, and is rolled back when it is sure that it is not. There is nothing to do.",
    "rolled_back": "Clients get {from_}. If the release is at fault, correct it and push it again; "
    "docs/operations.md has what to do for each reason.",
    "failed": "Nothing was put back: there was nothing to go back to or it serves nothing, the weights were "
    "changed outside Crossfade, or the service is deleted. Look at what clients get, and at what "
    "docs/operations.md has for the reason.",
    "refused": "Nothing was changed. Put right what the reason says, then release it again.",
    "stopped": "Nothing of it was deployed. To deploy it all the same, start its deployment by hand.",
    "rollbacks_follow": "Rollbacks follow by themselves until one gets through. Look at what clients get, "
    "and read the newest rollback: RollbackFailed in docs/operations.md says what to do.",
}


def title_of(happening: Happening) -> str:
    """A line, e.g. ``shop: 1.4.2 was rolled back``."""
    return f"{happening.service or 'Crossfade'}: {_filled(_title(happening), happening)}"


def text_of(happening: Happening) -> str:
    """What there is to know and to do, without what the title says."""
    said = [_change(happening)]
    if happening.reason:
        said.append(_sentence(happening.reason))
    if happening.certificate:
        said.append(f"Certificate: s3://{happening.certificate.bucket}/{happening.certificate.key}.")
    for named in (happening.advice, happening.kind, happening.verdict, happening.outcome):
        if named in ADVICE:
            said.append(_filled(ADVICE[named], happening))
            break
    return " ".join(filter(None, said))


def _title(happening: Happening) -> str:
    if happening.kind == "verdict":
        return VERDICTS.get(happening.verdict or "", f"{{to}}: {happening.verdict}")
    if happening.leaves and (named := LEAVING.get(happening.outcome or happening.kind)):
        return named
    if happening.kind == "ended":
        return OUTCOMES.get(happening.outcome or "", "the deployment of {to} has ended")
    if happening.kind == "begun" and happening.goes_back:
        return "{to} is taken back for {from_}"
    if happening.kind == "stage" and happening.stage and not happening.stage.weight:
        return "{to} is watched at 0 %" if happening.stage.step_backs else "{to} is verified by the probe"
    return TITLES[happening.kind]


def _change(happening: Happening) -> str:
    """From which version to which one."""
    before, after = happening.from_, happening.to
    if after is None or not after.version:
        return ""
    if before is None or not before.version:
        return f"{after.version} is the first release." if happening.kind == "begun" else ""
    return f"{before.version} → {after.version}."


def _filled(words: str, happening: Happening) -> str:
    before, after, stage = happening.from_, happening.to, happening.stage
    return words.format(
        to=(after and (after.version or after.digest)) or "a release",
        from_=(before and before.version) or "what was there before",
        weight=stage.weight if stage else 0,
    )


def _sentence(reason: str) -> str:
    begun = reason[0].upper() + reason[1:]
    return begun if begun.endswith((".", "!", "?", "…")) else f"{begun}."
