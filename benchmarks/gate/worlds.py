"""The worlds: eleven in which the candidate is as good as the stable side, and those in which it is not."""

from math import cos, pi

from benchmarks.gate.traffic import Moment, World, steady

BASE, RATE = 0.001, 100.0
MINUTE_OF_TROUBLE = (600.0, 660.0)


def _during(seconds: float, usual: Moment, trouble: Moment) -> Moment:
    began, ended = MINUTE_OF_TROUBLE
    return trouble if began <= seconds < ended else usual


def _drift(seconds: float) -> Moment:
    """Failures between 0.01 and 0.41 %, up and down in ten minutes, in steps of 15 s."""
    step = seconds // 15 * 15
    return steady(RATE, round(0.0021 - 0.002 * cos(2 * pi * step / 600), 5))


def _tide(seconds: float) -> Moment:
    """Requests between 20 and 500 a second, up and down in twenty minutes, in steps of 30 s."""
    step = seconds // 30 * 30
    return steady(round(260 - 240 * cos(2 * pi * step / 1200), 0), BASE)


_usual = steady(RATE, BASE)

HEALTHY = (
    World("0.01 % fail, 100 requests/s", lambda _: steady(RATE, 0.0001)),
    World("0.1 % fail, 100 requests/s", lambda _: _usual),
    World("1 % fail, 100 requests/s", lambda _: steady(RATE, 0.01)),
    World("0.1 % fail, 2 requests/s", lambda _: steady(2.0, BASE)),
    World("1 % fail, 10 requests/s", lambda _: steady(10.0, 0.01)),
    World("0.1 % fail, 1,000 requests/s", lambda _: steady(1000.0, BASE)),
    World("both sides 20 % bad for a minute", lambda t: _during(t, _usual, steady(RATE, 0.2))),
    World("both sides at 3 %", lambda _: steady(RATE, 0.03)),
    World("0.01 … 0.41 % fail, drifting", _drift),
    World(
        "both sides 3 × slower for a minute",
        lambda t: _during(t, _usual, _usual._replace(slowness=3.0, stable_slowness=3.0)),
    ),
    World("20 … 500 requests/s, drifting", _tide),
)


def fails(more: float, *, probed: bool = True) -> Moment:
    """A candidate that fails so many more; the probe may not see it."""
    share = min(BASE + more, 1.0)
    return Moment(RATE, BASE, share, share if probed else BASE)


def bad(name: str, moment: Moment, begins: float = 0.0) -> World:
    """A candidate that is bad from a moment on."""
    return World(name, lambda seconds: moment if seconds >= begins else _usual, begins, bad=True)


POINT, FIVE, ALL = "+1 point", "+5 points", "all fail"
FAULTY = (
    bad(POINT, fails(0.01)),
    bad(FIVE, fails(0.05)),
    bad(ALL, fails(1.0)),
    bad("+1 point, users only", fails(0.01, probed=False)),
    bad("+5 points, users only", fails(0.05, probed=False)),
    bad("all fail, users only", fails(1.0, probed=False)),
    bad("+5 points after 5 min", fails(0.05), begins=300.0),
    bad("all fail after 5 min", fails(1.0), begins=300.0),
    bad("1.5 × slower", _usual._replace(slowness=1.5)),
    bad("3 × slower", _usual._replace(slowness=3.0)),
)
