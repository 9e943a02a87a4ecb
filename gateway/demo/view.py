"""The running demonstration on a terminal, as plain lines where there is none, and its summary as tables."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.index.korea import rank
from edge.network import Actuator, Room, Site
from gateway.console.grade import GRADES
from gateway.demo.outcome import Outcome, Start
from gateway.demo.running import Demo
from gateway.demo.watching import measured
from gateway.live import Acting, Horizon, Live

STYLES = ("blue", "green", "yellow", "red")
"""Korea's colours of the four grades."""
AHEAD_S = 1800
WIDE = 100
"""Characters from which each room's reason has a place beside it."""
DASH = "–"
COUNTERS = (
    ("samples_stored", "samples"),
    ("doubles", "doubles"),
    ("gaps", "gaps"),
    ("forecasts", "forecasts"),
    ("commands", "commands"),
    ("acknowledgements", "acknowledged"),
    ("unacknowledged", "unanswered"),
)


def picture(demo: Demo, left: float | None = None, width: int = 120) -> RenderableType:
    """One frame: head, rooms by school, counters; `left` are the seconds that the run still has, `width` is
    the terminal's in characters."""
    narrow = width < WIDE
    news = [_news(demo)] if narrow else []
    return Group(_head(demo, left), _rooms(demo, narrow), *news, _foot(demo, narrow))


def _clock(demo: Demo) -> datetime:
    zone = next(iter(demo.network.sites.values())).zone
    return datetime.fromtimestamp(demo.world.now(), zone)


def _head(demo: Demo, left: float | None) -> Text:
    speed = f"{demo.settings.speed:g} × the clock, simulated"
    ends = "Ctrl-C ends it" if left is None else f"ends in {max(left, 0):.0f} s"
    head = Text.assemble((" Gongi ", "reverse"), f" {_clock(demo):%a %d %b %H:%M:%S}", (f"  {speed}", "dim"))
    return head.append(f"\n {demo.url}", "bold").append(f"  {ends}\n", "dim")


def _rooms(demo: Demo, narrow: bool) -> Table:
    table = Table(box=None, padding=(0, 1), expand=True, header_style="dim")
    table.add_column("")
    table.add_column("PM2.5 now", no_wrap=True)
    table.add_column("in 30 min", no_wrap=True)
    table.add_column("CO₂", justify="right", no_wrap=True)
    table.add_column("purifier", no_wrap=True)
    if not narrow:
        table.add_column("why", ratio=1)
    for site in demo.network.sites.values():
        table.add_row(*_outdoors(demo, site))
        for room in site.rooms.values():
            table.add_row(*tuple(_room(demo, site, room))[: len(table.columns)])
    return table


def _outdoors(demo: Demo, site: Site) -> Iterator[RenderableType]:
    yield Text(site.en.removesuffix(" Elementary School"), "bold")
    yield _graded(demo, measured(demo.gateway, site.id, ""))
    yield Text("outdoors", "dim")


def _room(demo: Demo, site: Site, room: Room) -> Iterator[RenderableType]:
    gateway, live = demo.gateway, demo.gateway.live
    co2 = measured(gateway, site.id, room.id, "co2")
    occupied = site.occupied(room.id, _clock(demo))
    yield Text(f" {room.id}").append(" lesson" if occupied else "", "dim")
    yield _graded(demo, measured(gateway, site.id, room.id))
    yield _forecast(_ahead(live, site.id, room.id))
    yield DASH if co2 is None else f"{co2:.0f}"
    machines = demo.network.actuators_in(site.id, room.id)
    acting = [(machine, live.acting.get(machine.id, Acting())) for machine in machines]
    yield Text("\n").join(_level(machine, one) for machine, one in acting)
    yield Text("\n".join(one.reason or one.cause for _, one in acting), "dim")


def _graded(demo: Demo, value: float | None) -> Text:
    grade = None if value is None or value != value else rank("pm25", value, _clock(demo).date())
    if grade is None:
        return Text(DASH)
    return Text(f"{value:4.0f} ", f"bold {STYLES[grade]}").append(GRADES[grade].word, STYLES[grade])


def _ahead(live: Live, site: str, room: str) -> Horizon | None:
    nodes = live.network.nodes_in(site, room, live.now)
    outlooks = [live.outlook[node.id] for node in nodes if node.id in live.outlook]
    steps = (step for outlook in outlooks for step in outlook.horizons if step.horizon_s == AHEAD_S)
    return next(steps, None)


def _forecast(step: Horizon | None) -> Text:
    if step is None:
        return Text(DASH)
    return Text(f"{step.value:3.0f} ").append(f"({step.lower:.0f}–{step.upper:.0f})", "dim")


def _level(actuator: Actuator, acting: Acting) -> Text:
    if acting.level is None:
        return Text(DASH)
    top = len(actuator.levels) - 1
    sure = "✓" if acting.acknowledged else "…" if acting.told is not None else " "
    bar = "■" * acting.level + "·" * (top - acting.level)
    return Text(f"{bar} {acting.level or 'off'} {sure}", "cyan" if acting.level else "dim")


def _news(demo: Demo) -> Text:
    """The newest command's reason."""
    told = [
        (one.told_at, name, one.reason) for name, one in tuple(demo.gateway.live.acting.items()) if one.told
    ]
    _, name, reason = max(told, default=(0, DASH, ""))
    return Text(f"\n {name}: {reason}", "dim", no_wrap=True, overflow="ellipsis")


def _foot(demo: Demo, narrow: bool) -> Text:
    value = demo.gateway.metrics.value
    items = [(f"{value(name):.0f}", label) for name, label in COUNTERS]
    items.append((f"{1000 * value('lag_seconds'):.0f}", "ms lag"))
    words = Text("\n")
    for place, (number, label) in enumerate(items):
        words.append(f" {number}", "bold").append(f" {label}  ", "dim")
        words.append("\n" if narrow and place == len(items) // 2 - 1 else "")
    installed = demo.gateway.forecaster.model.installed
    minutes = ", ".join(f"{seconds // 60}" for seconds in installed)
    words.append(
        f"\n forecasts: {f'learnt here, {minutes} min ahead' if installed else 'persistence'}", "dim"
    )
    for alarm in tuple(demo.gateway.live.alarms.values())[:3]:
        words.append(f"\n ! {alarm.kind}: {alarm.about}", "red")
    return words


def _model(installed: tuple[int, ...]) -> str:
    minutes = ", ".join(f"{seconds // 60}" for seconds in installed)
    return f"learnt here {minutes} min ahead, else persistence" if installed else "persistence"


def line(demo: Demo) -> str:
    """The same in one line, for where there is no terminal."""
    metrics = demo.gateway.metrics
    counts = ", ".join(f"{metrics.value(name):.0f} {label}" for name, label in COUNTERS)
    return f"{_clock(demo):%H:%M}  {counts}, {1000 * metrics.value('lag_seconds'):.0f} ms lag"


def summary(outcome: Outcome, failed: tuple[str, ...]) -> RenderableType:
    """The summary of a run: what was counted, what the rooms' people truly breathed, and the verdict."""
    above = Text("In lessons, simulated truth: mean PM2.5 [µg/m³] / minutes over 35")
    below = Text("first start: its minute, PM2.5 as measured then → what it might have reached", "dim")
    blank, verdict = Text(""), _verdict(outcome, failed)
    return Group(blank, _counted(outcome), blank, above, _breathed(outcome), below, blank, *verdict)


def _counted(outcome: Outcome) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    for name, value in _lines(outcome):
        table.add_row(Text(name, "dim"), value)
    return table


def _lines(outcome: Outcome) -> Iterator[tuple[str, str]]:
    counts, lag, cpu = outcome.counts, outcome.lag_s, outcome.cpu_s
    kind = "MicroPython" if outcome.firmware else "Python, as there is no MicroPython here"
    yield "ran", f"{outcome.seconds:.0f} s, {60 * outcome.simulated_h:.0f} simulated minutes"
    yield "devices", f"{outcome.nodes} nodes and {outcome.actuators} purifiers ({kind})"
    yield "batches", f"{outcome.published} sent, {outcome.published - outcome.missing} stored"
    yield "samples", f"{counts['samples_stored']} stored, {outcome.gaps} gaps, {counts['lost']} lost"
    yield "refused", f"{counts['conflicts']} conflicts, {counts['letters']} dead letters"
    yield "forecasts", f"{counts['forecasts']} ({_model(outcome.learnt)}), {counts['decisions']} decisions"
    yield "commands", f"{counts['commands']} sent, {counts['acknowledgements']} acknowledged"
    yield "lag", f"{1000 * lag['river_mean']:.0f} ms mean, {1000 * lag['river_max']:.0f} ms at most"
    yield "CPU", f"{cpu['demo']:.1f} s, {cpu['children']:.1f} s of broker and devices"


def _breathed(outcome: Outcome) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for name in ("room", "all off", "gongi", "all full", "energy", "first start"):
        table.add_column(name, justify="left" if name == "room" else "right", no_wrap=True)
    starts = {(one.site, one.room): _started(one) for one in outcome.starts}
    for room in outcome.rooms:
        cells = [f"{room.pm25[s]:.0f} / {60 * room.over_h[s]:.0f}" for s in ("off", "commanded", "full")]
        energy = f"{1000 * room.energy['commanded']:.0f} of {1000 * room.energy['full']:.0f} Wh"
        table.add_row(f"{room.site} {room.room}", *cells, energy, starts.get((room.site, room.room), DASH))
    return table


def _started(start: Start) -> str:
    return f"{start.minute:.0f}: {start.measured:.0f} → {start.risk:.0f}"


def _verdict(outcome: Outcome, failed: tuple[str, ...]) -> Iterator[Text]:
    if failed:
        yield from (Text(f"✗ {sentence}", "red") for sentence in failed)
    else:
        ahead = f"{outcome.ahead} of {len(outcome.starts)} purifiers started ahead of the limit"
        yield Text(f"✓ Nothing lost; {ahead}.", "green")
