"""The page of a deployment: its certificate, its history and its requests, as pictures and tables."""

from collections.abc import Iterator
from datetime import datetime

from crossfade.domain.ledger import Lane
from crossfade.domain.page.axis import TimeAxis, clock, day_and_clock, lasting
from crossfade.domain.page.bins import NAMELESS, OTHERS
from crossfade.domain.page.document import document
from crossfade.domain.page.evidence_panel import evidence_panel
from crossfade.domain.page.failures_panel import failures_panel
from crossfade.domain.page.latency_panel import latency_panel
from crossfade.domain.page.markup import Child, Html, element, together
from crossfade.domain.page.observed import Observed
from crossfade.domain.page.stages_panel import SIGNS, VERDICTS, phases_of, stage_name, stages_panel
from crossfade.domain.page.tables import (
    definitions,
    failed_table,
    figures_table,
    grouped,
    percent,
    row,
    section,
    slowest_table,
)
from crossfade.domain.page.versions_panel import Shown, Step, named, versions_panel
from crossfade.domain.planning.plan import Plan
from crossfade.domain.proof.certificate import Certificate, History
from crossfade.domain.slots import other

OUTCOMES = {"promoted": ("✓", "promoted"), "rolled_back": ("↩", "rolled back"), "failed": ("✕", "failed")}
UNKNOWN_COLOURS = ("third", "fourth", "fifth", "sixth", "third", "fourth")


def deployment_page(certificate: Certificate, history: History, observed: Observed, ended: datetime) -> str:
    """The page of a deployment that ended at ``ended``; ``observed`` has the certificate's requests."""
    plan = history.plan
    began, last = plan.began.timestamp(), ended.timestamp()
    first_seen, last_seen = observed.span() or (began, last)
    axis = TimeAxis(min(began, first_seen), max(last, min(last_seen, last + 60)))
    lanes, shown, weights = (
        _lanes(plan, certificate),
        _versions(observed.bins.named, plan),
        _weights(history),
    )
    timed = [(lane, name) for lane, name in lanes if lane != "production"]
    bins = observed.bins.readable()
    missing = sum(count.missing for count in certificate.requests.values())
    pictures = [
        stages_panel(axis, list(phases_of(history, last))),
        versions_panel(axis, bins, shown, weights),
        failures_panel(axis, observed, observed.bins, lanes, missing),
        latency_panel(axis, bins, [(lane, name, lane) for lane, name in timed]),
        evidence_panel(axis, history.course, plan.spec.gate) if history.course.points else None,
        figures_table(observed.bins, shown, weights, lanes, timed),
    ]
    title = _title(certificate)
    return document(
        f"{title} – Crossfade",
        _header(certificate, title, axis),
        _facts(certificate, history),
        section(
            "What happened",
            element("p", "All pictures have the same axis of time, in UTC.", class_="note"),
            *pictures,
            id_="happened",
        ),
        section("Stages", _stages(certificate, axis), id_="verdicts"),
        section(
            "Requests",
            _requests(certificate, dict(lanes)),
            failed_table(axis, observed),
            slowest_table(axis, observed),
            id_="requests",
        ),
        section("Time", _timing(certificate), id_="time"),
        section("Proof", *_proof(certificate), id_="proof"),
        made_of=f"Computed from the ledger of deployment {certificate.deployment}, which is stored beside "
        "this page with its certificate.",
    )


def _title(certificate: Certificate) -> str:
    _, done = OUTCOMES[certificate.outcome]
    verb = "" if certificate.outcome == "failed" else "was "
    return f"{certificate.service}: {certificate.to.version} {verb}{done}"


def _header(certificate: Certificate, title: str, axis: TimeAxis) -> Html:
    sign, done = OUTCOMES[certificate.outcome]
    before = certificate.from_.version
    change = f"{before} → {certificate.to.version}" if before else f"first release, {certificate.to.version}"
    return element(
        "header",
        element("p", f"Deployment {certificate.deployment} · {day_and_clock(axis.began)}", class_="eyebrow"),
        element("h1", title),
        element(
            "div",
            element("strong", f"{sign} {done.capitalize()} · {change}"),
            element("p", certificate.reason),
            class_=f"outcome {certificate.outcome}",
        ),
    )


def _facts(certificate: Certificate, history: History) -> Html:
    production, ledger = certificate.requests["production"], certificate.ledger
    bound = production.at_most
    sure = "" if bound is None else f"; at most {percent(bound)} fail, with 95 % certainty"
    facts: list[tuple[str, str, str]] = [
        ("Failed on production", f"{production.failed:,}", f"of {production.sent:,} requests{sure}"),
        ("Took", lasting(certificate.reported.timing.total), _highest(history)),
    ]
    if harm := certificate.rolled_back:
        facts += [
            (name, lasting(seconds), "after the first bad answer")
            for name, seconds in (
                ("Detected", harm.detected),
                ("Weights back", harm.restored_api),
                ("Clients rid of it", harm.restored),
            )
            if seconds is not None
        ]
    if backs := len(certificate.reported.step_backs):
        held = f"held at weight 0 for {lasting(certificate.reported.timing.held)}"
        facts.append(("Stepped back", f"{backs} time{'s' * (backs > 1)}", held))
    whole = "no number is missing" if ledger.complete else "it is not complete: see Proof"
    facts.append(("Ledger", f"{ledger.records:,}", f"requests; {whole}"))
    return definitions(
        ((name, together(element("b", number), said)) for name, number, said in facts), class_="facts"
    )


def _highest(history: History) -> str:
    highest = max((stage.weight for stage in history.stages), default=0)
    return f"the candidate had {highest} % of the traffic at most"


def _lanes(plan: Plan, certificate: Certificate) -> list[tuple[Lane, str]]:
    """The probe's lanes with their names; production first, then the candidate's.

    Where there is no stable slot, the other one's lane asks as soon as something answers there.
    """
    slots: list[tuple[Lane, str]] = [(plan.candidate, f"{plan.candidate} (candidate)")]
    if plan.stable:
        slots.append((plan.stable, f"{plan.stable} (stable)"))
    elif certificate.requests[rest := other(plan.candidate)].sent:
        slots.append((rest, rest))
    return [("production", "production"), *slots]


def _versions(names: list[str], plan: Plan) -> list[Shown]:
    """What production has answered, from below: the candidate, stable, others, and what failed."""
    known: dict[str, Shown] = {}
    if plan.answers:
        known[plan.answers] = Shown(plan.answers, named(plan.answers, "candidate"), plan.candidate)
    before = plan.stable_answers
    if before and before not in known:
        known[before] = Shown(before, named(before, "stable"), other(plan.candidate))
    others = zip([name for name in names if name not in known], UNKNOWN_COLOURS, strict=False)
    return [
        *known.values(),
        *(Shown(version, named(version, "another version"), colour) for version, colour in others),
        Shown(OTHERS, OTHERS, "fifth"),
        Shown(NAMELESS, "answered well, without a version", "nameless"),
        Shown(None, "failed, without a version", "bad"),
    ]


def _weights(history: History) -> list[Step]:
    """The candidate's weight: as it was seen on the load balancer, else as it was written."""
    steps = [Step(history.plan.began.timestamp(), 0)]
    for stage in history.stages:
        steps.append(Step((stage.shown or stage.began).timestamp(), stage.weight))
    if history.restored and not history.promoted:
        steps.append(Step(history.restored.timestamp(), 0))
    return steps


def _stages(certificate: Certificate, axis: TimeAxis) -> Html:
    rows = [
        (
            row(
                stage_name(stage),
                _moment(stage.began, axis),
                lasting((stage.ended - stage.began).total_seconds()) if stage.ended else "–",
                f"{SIGNS.get(stage.verdict or '', '…')} {VERDICTS.get(stage.verdict, stage.verdict)}",
            ),
            stage.reason or "–",
        )
        for stage in certificate.reported.stages
    ]
    if not rows:
        return element("p", "There was none: the candidate did not become healthy.", class_="note")
    return grouped(
        "Below each stage what its verdict rested on", ("weight", "began (UTC)", "lasted", "verdict"), rows
    )


def _moment(at: datetime, axis: TimeAxis) -> str:
    """In UTC, and since the beginning."""
    return f"{clock(at.timestamp())[:-4]}, after {lasting(at.timestamp() - axis.began)}"


def _requests(certificate: Certificate, names: dict[Lane, str]) -> Html:
    rows = []
    for lane, name in names.items():
        counts = certificate.requests[lane]
        kinds = [f"{kind.count:,} × {kind.what}" for kind in certificate.failures[lane]]
        versions = [f"{seen.count:,} × {seen.version}" for seen in certificate.versions[lane]]
        cells = row(
            name,
            f"{counts.sent:,}",
            f"{counts.failed:,}",
            f"{counts.missing:,}",
            "–" if counts.at_most is None else percent(counts.at_most),
        )
        said = (f"failed: {', '.join(kinds) or 'none'}", f"answered well: {', '.join(versions) or 'none'}")
        rows.append((cells, "; ".join(said)))
    return grouped(
        "Missing ones were sent, are in no record, and count as failed. At most fail: the bound on the share "
        "that holds with 95 %.",
        ("lane", "sent", "failed", "missing", "at most fail"),
        rows,
    )


def _timing(certificate: Certificate) -> Html:
    timing = certificate.reported.timing
    return definitions(
        [
            ("Start of the candidate's tasks", lasting(timing.container_start)),
            ("Stages, the least that they take", lasting(timing.bake)),
            ("Stages, what the evidence took beyond", lasting(timing.evidence)),
            ("Crossfade itself", lasting(timing.overhead)),
            ("Altogether", lasting(timing.total)),
        ],
        class_="pairs",
    )


def _proof(certificate: Certificate) -> Iterator[Child]:
    ledger = certificate.ledger
    gaps = [f"{clock(gap.began.timestamp())} to {clock(gap.ended.timestamp())}" for gap in ledger.gaps]
    yield definitions(
        [
            ("Image before", element("code", certificate.from_.digest or "none")),
            ("Image released", element("code", certificate.to.digest)),
            ("Ledger", f"{ledger.file}: {ledger.records:,} requests, {_whole(certificate)}"),
            ("SHA-256 of its lines", element("code", ledger.sha256)),
            ("Without a probe", "; ".join(gaps) or "at no time"),
            ("To check it", element("code", f"crossfade check certificate.json {ledger.file}")),
        ],
        class_="pairs",
    )
    if certificate.not_proved:
        yield element("h3", "What is not proved")
        yield element("ul", *(element("li", said) for said in certificate.not_proved), class_="plain")


def _whole(certificate: Certificate) -> str:
    return "complete" if certificate.ledger.complete else "not complete"
