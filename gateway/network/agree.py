"""What must agree between the entries of the network files: one function a rule, all of them run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from edge.dialect import own_timer
from gateway.network.shape import Entry, meant

SECOND = 1_000_000_000
END = 2**63 - 1
MOST_SAMPLES = 60


@dataclass(frozen=True)
class Entries:
    """The checked entries of all files together."""

    site: tuple[Entry, ...]
    node: tuple[Entry, ...]
    actuator: tuple[Entry, ...]
    station: tuple[Entry, ...]
    calibration: tuple[Entry, ...]
    models: Mapping[str, Any] = field(default_factory=dict)
    """What stands in the model files (`gateway.network.models.Found`), by path."""

    @cached_property
    def _zones(self) -> Mapping[str, ZoneInfo]:
        return {e["id"]: ZoneInfo(e["tz"]) for e in reversed(self.site) if e["id"] and e["tz"]}

    @cached_property
    def _carriers(self) -> Mapping[str, Entry]:
        fitted = ((node, entry) for node in reversed(self.node) for entry in node["fitted"] or ())
        return {serial: node for node, entry in fitted for serial in serials(entry)}

    def zone_of(self, site: str | None) -> ZoneInfo:
        """A site's time zone; the first site's for an unknown one."""
        known = self._zones.get(site or "")
        return known or next(reversed([*self._zones.values()]), ZoneInfo("Asia/Seoul"))

    def home_of(self, node: Entry) -> ZoneInfo:
        """The time zone in which a node's local dates are meant: that of its first site."""
        return self.zone_of(node["placed"][0]["site"] if node["placed"] else None)

    def zone_of_serial(self, serial: str) -> ZoneInfo:
        """The time zone of the node that carries a sensor."""
        carrier = self._carriers.get(serial)
        return self.home_of(carrier) if carrier else self.zone_of(None)


def nanoseconds(moment: date, zone: ZoneInfo) -> int:
    """A date (its first instant), a local or an absolute date-time as ns since 1970, UTC."""
    at = moment if isinstance(moment, datetime) else datetime.combine(moment, time())
    aware = at if at.tzinfo else at.replace(tzinfo=zone)
    return int(aware.replace(microsecond=0).timestamp()) * SECOND + aware.microsecond * 1000


def serials(fitted: Entry) -> list[str]:
    """The serials of one list of sensors."""
    return [sensor["serial"] for sensor in fitted["sensors"] or () if sensor["serial"]]


def _unique(entries: Iterable[Entry], what: str) -> None:
    seen: dict[str, Entry] = {}
    for entry in entries:
        name = entry["id"]
        if name and seen.setdefault(name, entry) is not entry:
            first = seen[name].place
            entry.wrong("id", name, f"another id: {first.path} in {first.file} is already {what}")


def ids_name_one_thing(all: Entries) -> None:
    """Site, station and calibration ids are unique, room ids in their site, device ids in the network."""
    _unique(all.site, "a site")
    _unique((*all.node, *all.actuator), "a device of this network")
    _unique(all.station, "a station")
    _unique(all.calibration, "a calibration")
    for site in all.site:
        _unique(site["room"] or (), "a room of this site")


def places_exist(all: Entries) -> None:
    """Every site and room that a device names is in the files; only indoors has a room."""
    rooms = {site["id"]: [room["id"] for room in site["room"] or ()] for site in all.site}
    placed = [entry for node in all.node for entry in node["placed"] or ()]
    for entry in (*placed, *all.actuator):
        outdoors, site, room = entry["placement"] == "outdoor", entry["site"], entry["room"]
        if site not in rooms:
            _unknown(entry, "site", list(rooms), "a site of the files")
        elif outdoors and room:
            entry.wrong("room", room, "no room for a node outdoors")
        elif not outdoors and room not in rooms[site]:
            _unknown(entry, "room", rooms[site], f"a room of {site}")


def _unknown(entry: Entry, name: str, known: Sequence[str | None], what: str) -> None:
    """Say so, unless the name itself is a mistake already, or that of something known (it may be meant)."""
    names = [one for one in known if one]
    if entry[name] is not None and len(names) == len(known):
        entry.wrong(name, entry[name], f"{what}: {meant(entry[name], names)}")


def dates_grow(all: Entries) -> None:
    """Dated entries of a node stand in the order of their dates, none twice."""
    for node in all.node:
        zones = [all.zone_of(entry["site"]) for entry in node["placed"] or ()]
        _growing(node["placed"] or (), zones)
        _growing(node["fitted"] or (), [all.home_of(node)] * len(node["fitted"] or ()))


def _growing(entries: Sequence[Entry], zones: Sequence[ZoneInfo]) -> None:
    dated = [(nanoseconds(e["since"], z), e) for e, z in zip(entries, zones, strict=True) if e["since"]]
    for (before, first), (after, second) in pairwise(dated):
        if after <= before:
            second.wrong("since", second["since"], f"a date after the entry before, {first['since']}")


def serials_are_in_one_node(all: Entries) -> None:
    """A sensor is in one node at a time, and in it once."""
    held: dict[str, list[tuple[int, int, Entry]]] = {}
    for node in all.node:
        for start, end, entry in _in_force(node, all.home_of(node)):
            for serial in serials(entry):
                held.setdefault(serial, []).append((start, end, entry))
    for serial, spans in held.items():
        spans.sort(key=lambda span: span[:2])
        for (_, end, first), (start, _, second) in pairwise(spans):
            if start < end:
                second.wrong("sensors", serial, f"a sensor that isn't also in {first.place.path} then")


def _in_force(node: Entry, zone: ZoneInfo) -> list[tuple[int, int, Entry]]:
    entries = [entry for entry in node["fitted"] or () if entry["since"]]
    starts = [nanoseconds(entry["since"], zone) for entry in entries]
    return [(s, max(s, e), entry) for s, e, entry in zip(starts, (*starts[1:], END), entries, strict=False)]


def batches_fit(all: Entries) -> None:
    """A batch holds 1 to 60 samples."""
    for node in all.node:
        sample, batch = node["sample_s"], node["batch_s"]
        if sample and batch and not sample <= batch <= MOST_SAMPLES * sample:
            bounds = f"from {sample} to {MOST_SAMPLES * sample} [s]: 1 to {MOST_SAMPLES} samples a batch"
            node.wrong("batch_s", batch, bounds)


NAP_S = 60
"""A particle sensor warms up for 30 s and is heard for 10: with less between samples it doesn't sleep [s]."""


def sensors_find_sleep(all: Entries) -> None:
    """A duty cycle wants time to sleep between samples."""
    for node in all.node:
        if node["duty"] and node["sample_s"] and node["sample_s"] < NAP_S:
            wanted = f"at least {NAP_S} [s] with duty = true: a particle sensor warms up for 30 s"
            node.wrong("sample_s", node["sample_s"], wanted, warning=True)


def levels_work(all: Entries) -> None:
    """Level 0 is off, some level moves the air that the kind is for, and the safe levels exist."""
    for entry in all.actuator:
        levels = entry["levels"]
        if levels is None or None in levels:
            continue
        does = "flow" if entry["kind"] == "ventilator" else "cadr"
        if len(levels) < 2 or not any(getattr(level, does) > 0 for level in levels):
            entry.wrong("levels", f"{len(levels)} levels", f"off and at least one level with {does} above 0")
        elif levels[0].cadr or levels[0].flow:
            entry.wrong("levels", "a level 0 that moves air", "level 0 with cadr = 0 and flow = 0: it is off")
        for name in ("safe", "safe_occupied", "quiet_level"):
            if levels and entry[name] is not None and entry[name] >= len(levels):
                entry.wrong(name, entry[name], f"a level from 0 to {len(levels) - 1}")


def timer(entry: Entry) -> bool:
    """Whether an actuator ends a command by itself: as its entry says, else as its dialect does."""
    said = entry["timer"]
    return own_timer(str(entry["dialect"]), len(entry["levels"])) if said is None else bool(said)


def timers_are_said(all: Entries) -> None:
    """Where a device doesn't end a command itself, that is said."""
    for entry in all.actuator:
        if entry["levels"] and not timer(entry):
            wanted = "known: no timer of its own; when the gateway dies it stays at its last level"
            entry.wrong("dialect", entry["dialect"], wanted, True)


def calibrations_have_sensors(all: Entries) -> None:
    """A calibration's serial is in some node, and no two of a sensor, or of the fleet, begin at once."""
    known = {serial for node in all.node for entry in node["fitted"] or () for serial in serials(entry)}
    seen: dict[object, Entry] = {}
    for entry in all.calibration:
        serial, since = entry["serial"], entry["since"]
        if serial and serial not in known:
            entry.wrong("serial", serial, "a serial that some node carries: " + meant(serial, sorted(known)))
        if serial and entry["type"]:
            entry.wrong("type", entry["type"], "no type beside a serial: it is for the fleet's")
        if serial is not None and since and entry["quantity"]:
            whose = (serial, entry["type"])
            key = (whose, entry["quantity"], nanoseconds(since, all.zone_of_serial(serial)))
            if seen.setdefault(key, entry) is not entry:
                entry.wrong("since", since, f"another date than {seen[key].place.path}")


def energy_is_whole(all: Entries) -> None:
    """A peak price has its hours, and the least that can run fits below a site's peak power."""
    for site in all.site:
        energy = site["energy"]
        if energy is None:
            continue
        peak = energy["peak"]
        if energy["peak_price"] is not None and peak is not None and not peak.weekly:
            energy.wrong("peak", "no hours", 'the hours of peak_price, like {mon-fri = "10:00-12:00"}')
        most = energy["most_w"]
        for entry in all.actuator if most else ():
            watts = [level.power for level in (entry["levels"] or ())[1:] if level]
            if entry["site"] == site["id"] and watts and min(watts) > most:
                energy.wrong(
                    "most_w", most, f"enough for {entry.place.path}: its least level draws {min(watts):g} W"
                )


def windows_have_length(all: Entries) -> None:
    """Maintenance ends after it starts."""
    for site in all.site:
        zone = all.zone_of(site["id"])
        for entry in site["maintenance"] or ():
            start, end = entry["start"], entry["end"]
            if start and end and nanoseconds(end, zone) <= nanoseconds(start, zone):
                entry.wrong("end", end, f"an end after {start}")


INLET_M = (1.5, 10.0)
"""Where the guideline on the national network (대기오염측정망 설치·운영지침) wants an outdoor inlet [m]."""


def inlets_are_at_breathing_height(all: Entries) -> None:
    """An outdoor inlet stands where the national network's would."""
    low, high = INLET_M
    for entry in (entry for node in all.node for entry in node["placed"] or ()):
        height = entry["height"]
        if entry["placement"] == "outdoor" and height is not None and not low <= height <= high:
            wanted = f"an outdoor inlet {low:g} to {high:g} m above the ground, as the national network's are"
            entry.wrong("height", height, wanted, True)


def stations_can_be_asked_for(all: Entries) -> None:
    """A station with a source says what that source calls it."""
    for entry in all.station:
        if entry["source"] and not entry["code"]:
            entry.wrong("code", "nothing", f"what {entry['source']} calls it: see gongi reference sources")
        elif entry["code"] and not entry["source"]:
            entry.wrong("source", "nothing", f"the source that calls it {entry['code']}")


RULES: tuple[Callable[[Entries], None], ...] = (
    ids_name_one_thing,
    places_exist,
    dates_grow,
    serials_are_in_one_node,
    batches_fit,
    sensors_find_sleep,
    levels_work,
    timers_are_said,
    calibrations_have_sensors,
    energy_is_whole,
    windows_have_length,
    inlets_are_at_breathing_height,
    stations_can_be_asked_for,
)
