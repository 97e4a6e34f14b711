"""The wild worlds: healthy candidates that look ill for a while, and regressions, through all stages."""

from benchmarks.gate.weather import Fault, Glitches, Pauses, Spells, Wild

CALM, BUSY, QUIET = "calm, 0.1 % fail", "calm, 1,000 users/s", "quiet, 2 users/s"
QUIET_WORSE = "+5 points, users only, 2 users/s"
OFTEN_BOTH = "spells: all fail 1 s every 60 s"
OFTEN_CANDIDATE = "3 × more spells than stable"
OFTEN = Spells(every=60, seconds=1, failing=1.0)

HEALTHY = (
    Wild(CALM),
    Wild("calm, 1 % fail", base=0.01),
    Wild(BUSY, rate=1000.0),
    Wild(QUIET, rate=2.0),
    Wild("warm-up, 30 s", warm_up=30),
    Wild("warm-up, 60 s", warm_up=60),
    Wild("warm-up, 120 s", warm_up=120),
    Wild(OFTEN_BOTH, spells=OFTEN),
    Wild("spells: all fail 1 s every 300 s", spells=Spells(every=300, seconds=1, failing=1.0)),
    Wild("spells: all fail 0.3 s every 60 s", spells=Spells(every=60, seconds=0.3, failing=1.0)),
    Wild("spells: 50 % fail 3 s every 300 s", spells=Spells(every=300, seconds=3, failing=0.5)),
    Wild("spells: 20 % fail 3 s every 300 s", spells=Spells(every=300, seconds=3, failing=0.2)),
    Wild("spells: 30 % fail 10 s every 600 s", spells=Spells(every=600, seconds=10, failing=0.3)),
    Wild("glitch of the preview path, 3.5 s", glitches=Glitches(1, 3.5, 3.5)),
    Wild("glitch of the preview path, 10 s", glitches=Glitches(1, 10, 10)),
    Wild("glitches of the preview path, 3 of 2 s", glitches=Glitches(3, 2, 2)),
    Wild("glitch of the preview path, 0.5 to 10 s", glitches=Glitches(1, 0.5, 10)),
    Wild("outages of both sides, 10 s every 300 s", outages=Spells(every=300, seconds=10, failing=1.0)),
    Wild("0.01 … 0.41 % fail, drifting", drifting=True),
    Wild("pauses out of phase, 0.4 s every 30 s", pauses=Pauses(every=30, seconds=0.4, slowness=10)),
)
QUICK = {BUSY}
"""Worlds of which a deployment costs less to simulate than others."""
OTHER_RATES = {"calm, 1 % fail", BUSY, QUIET}
"""Worlds whose time cannot be compared with the calm one's: other rates need other times."""

FAILING = {"+1 point": 0.01, "+5 points": 0.05, "+20 points": 0.2, "one of two tasks": 0.5, "all fail": 1.0}
REGRESSIONS = (
    *(Wild(f"{name}, from launch", fault=Fault(more)) for name, more in FAILING.items()),
    *(Wild(f"{name}, users only", fault=Fault(more, probed=False)) for name, more in FAILING.items()),
    *(Wild(f"{name}, 100 s after users", fault=Fault(more, after=100)) for name, more in FAILING.items()),
    Wild("1.5 × slower", fault=Fault(slowness=1.5)),
    Wild("3 × slower", fault=Fault(slowness=3.0)),
    Wild("3 × slower, 100 s after users", fault=Fault(slowness=3.0, after=100)),
    Wild("slower by 1 % a second, from users on", fault=Fault(leak=0.01, after=0)),
    Wild(OFTEN_CANDIDATE, spells=OFTEN, candidate_spells=3, fault=Fault()),
    Wild(QUIET_WORSE, rate=2.0, fault=Fault(0.05, probed=False)),
    Wild("+5 points, from launch, in spells", spells=OFTEN, fault=Fault(0.05)),
    Wild("+1 point, users only, in spells", spells=OFTEN, fault=Fault(0.01, probed=False)),
    Wild("+5 points, users only, in spells", spells=OFTEN, fault=Fault(0.05, probed=False)),
)
WORLDS = {world.name: world for world in (*HEALTHY, *REGRESSIONS)}
