"""What stands in a journal block as lines for InfluxDB, kind by kind."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec

from edge.network import Network
from edge.readings import SECOND, Readings
from edge.report import Info, State
from gateway.line import Lines, Standing, air, head, quoted, tags
from gateway.pack import unpack
from gateway.reference.store import Series as References

HOUR = 3600 * SECOND
LONGEST = HOUR
"""How long [ns] a reported level is taken to last at most: who is silent for longer may have no power."""

S = TypeVar("S", bound=msgspec.Struct)


class Unreadable(ValueError):
    """A block's body that isn't what its kind says."""


@lru_cache(maxsize=1)
def unpacked(body: bytes) -> Readings:
    """The samples of a block; the last one's are kept for who asks next."""
    return unpack(body)


# -- forecasts ----------------------------------------------------------------------------------------


class Ahead(msgspec.Struct, frozen=True):
    """One horizon of a forecast; `target` [ns UTC]; its numbers are None where the model had none."""

    horizon_s: int
    target: int
    value: float | None
    lower: float | None
    upper: float | None


class Forecast(msgspec.Struct, frozen=True):
    """A node's forecasts of one quantity, issued at [ns UTC] by a model."""

    node: str
    quantity: str
    issued: int
    model: str
    horizons: list[Ahead]


def forecast(body: bytes, network: Network) -> Lines:
    """Forecasts as lines of `forecast`, stamped with their target time; tag `horizon` [s]."""
    return _each(body, Forecast, _horizons, network)


def _horizons(one: Forecast, network: Network) -> list[str] | None:
    place = network.placed(one.node, one.issued)
    if place is None:
        return None
    where = {"node": one.node, "placement": place.placement, "room": place.room, "site": place.site}
    said = f",issued={one.issued}i,model={quoted(one.model)}"
    return [
        f"forecast{tags(quantity=one.quantity, horizon=str(ahead.horizon_s), **where)} "
        f"value={ahead.value!r},lower={ahead.lower!r},upper={ahead.upper!r}{said} {ahead.target}"
        for ahead in one.horizons
        if None not in (ahead.value, ahead.lower, ahead.upper)
    ]


# -- actuators ----------------------------------------------------------------------------------------


class Report(msgspec.Struct, frozen=True):
    """An actuator's state, and when it came [ns UTC]."""

    at: int
    device: str
    site: str
    payload: State


Drawn = Callable[[Report, Network], float | None]
"""The energy [Wh] that an actuator has drawn since its last report, None where that isn't known."""


def actuator(body: bytes, network: Network, drawn: Drawn = lambda one, network: None) -> Lines:
    """Reports as lines of `actuator`; `command` is the id of the last one obeyed, `filter_h` in hours,
    `power` [W] where the device tells it, `energy` [Wh] since its last report."""
    return _each(body, Report, lambda one, network: _report(one, network, drawn), network)


def _report(one: Report, network: Network, drawn: Drawn) -> list[str] | None:
    device = network.actuators.get(one.device)
    if device is None:
        return None
    said = one.payload
    where = tags(actuator=one.device, kind=device.kind, room=device.room, site=one.site)
    told = {"filter_h": said.filter_h, "power": said.power, "energy": drawn(one, network)}
    fields = f"level={float(said.level)!r},cause={quoted(said.cause)},command={quoted(said.id or '')}"
    return [f"actuator{where} {fields}{_told(told)} {one.at}"]


def _told(numbers: Mapping[str, float | None]) -> str:
    """Fields behind others, each a float; what isn't known is left out."""
    return "".join(f",{name}={float(value)!r}" for name, value in numbers.items() if value is not None)


def watts(one: Report, network: Network) -> float | None:
    """The power [W] of a report: as the device tells it, else its level's by the files."""
    device, said = network.actuators.get(one.device), one.payload
    if said.power is not None or device is None:
        return said.power
    return device.levels[said.level].power if said.level < len(device.levels) else None


class Energy:
    """Adds up what actuators draw, from each report to the next; `before` gives those that stand earlier."""

    def __init__(self, before: Callable[[], list[Report]]) -> None:
        self._before = before
        self._last: dict[str, Report] | None = None

    def forget(self) -> None:
        """What was read hasn't been written: it will be read again, from the reports before it."""
        self._last = None

    def __call__(self, one: Report, network: Network) -> float | None:
        """The energy [Wh] since the device's last report."""
        if self._last is None:
            self._last = {report.device: report for report in self._before()}
        last = self._last.get(one.device)
        self._last[one.device] = one
        power = watts(last, network) if last else None
        if last is None or power is None or not 0 <= one.at - last.at <= LONGEST:
            return None
        return power * (one.at - last.at) / HOUR


def reports(body: bytes) -> list[Report]:
    """The readable reports of a block of states, in their order."""
    found = []
    for item in msgspec.json.decode(body, type=list[msgspec.Raw]):
        try:
            found.append(msgspec.json.decode(item, type=Report))
        except msgspec.DecodeError:
            continue  # counted as malformed where it becomes a line
    return found


# -- devices ------------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True):
    """A device's info, and when it came [ns UTC]."""

    at: int
    device: str
    site: str
    payload: Info


def node(body: bytes, network: Network) -> Lines:
    """Infos as lines of `node`: `up` [s], `heap` [bytes], `rssi` [dBm], `supply` [V], `spool` (batches that
    the device holds and hasn't sent), `hours` of its oldest laser or fan [h], `boot`, `dropped`, `cause`,
    `app`, `mpy`."""
    return _each(body, Said, _info, network)


def _info(one: Said, network: Network) -> list[str] | None:
    place = network.placed(one.device, one.at)
    device = network.actuators.get(one.device)
    if place:
        first = head("node", Standing(one.device, place.site, place.room, place.placement)).rstrip()
    elif device:
        first = f"node{tags(kind=device.kind, node=one.device, room=device.room, site=device.site)}"
    else:
        return None
    said = one.payload
    numbers = {name: getattr(said, name) for name in ("up", "heap", "rssi", "supply", "boot", "dropped")}
    words = "".join(f",{name}={quoted(getattr(said, name))}" for name in ("cause", "app", "mpy"))
    fields = _told({**numbers, "spool": _depth(said), "hours": _hours(said)}) + words
    return [f"{first} {fields[1:]} {one.at}"]


def _depth(said: Info) -> int | None:
    return None if said.next is None or said.cursor is None else max(0, said.next - said.cursor)


def _hours(said: Info) -> float | None:
    told = [one.get("hours") for one in said.sensors]
    return max((float(one) for one in told if isinstance(one, int | float)), default=None)


# -- reference stations ---------------------------------------------------------------------------------


def reference(body: bytes, network: Network) -> Lines:
    """Reference values as lines of `reference`: the field `q` where there is a value, `q_flag` always."""
    return _each(body, References, _reference, network)


def _reference(one: References, network: Network) -> list[str]:
    station = network.stations.get(one.station)
    kind, name = station.kind if station else "", one.quantity
    first = f"reference{tags(source=one.source, station=one.station, kind=kind)}"
    return [
        f"{first} {'' if value is None else f'{name}={float(value)!r},'}{name}_flag={flag}i {time}"
        for time, value, flag in zip(one.time, one.value, one.flag, strict=False)
    ]


def withdrawn(body: bytes) -> list[tuple[str, dict[str, str], int, int]]:
    """The points that a block of reference values deletes before it writes: measurement, tags, first and last
    time [ns]; none in one that can't be read, which is counted where it becomes lines."""
    try:
        held = msgspec.json.decode(body, type=list[References])
    except msgspec.DecodeError:
        return []
    points = {(one.source, one.station, time) for one in held for time in one.gone}
    return [
        ("reference", {"source": source, "station": station}, time, time)
        for source, station, time in sorted(points)
    ]


# -- blocks -------------------------------------------------------------------------------------------


def _each(
    body: bytes, kind: type[S], say: Callable[[S, Network], list[str] | None], network: Network
) -> Lines:
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise Unreadable(f"not a JSON list: {error}") from None
    lines: list[str] = []
    left_out: Counter[str] = Counter()
    for item in items:
        try:
            said = say(msgspec.json.decode(item, type=kind), network)
        except msgspec.DecodeError:
            left_out["malformed"] += 1
            continue
        left_out["unplaced"] += said is None
        left_out["empty"] += said == []
        lines += said or []
    return Lines(lines, +left_out)


def _samples(body: bytes, network: Network) -> Lines:
    """The samples, unless the files want their means of a minute in their place."""
    return air(unpacked(body), network) if network.influx_resolution == "air" else Lines([])


OF_KIND: Mapping[str, Callable[[bytes, Network], Lines]] = {
    "readings": _samples,
    "revision": _samples,
    "forecast": forecast,
    "info": node,
    "state": actuator,
    "reference": reference,
}
"""How the body of each kind of block becomes lines."""
