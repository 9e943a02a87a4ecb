"""Which dated entries of changed network files lie in the past: only `gongi reassign` may change those."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from edge.network import Network

SECOND = 1_000_000_000

Entry: TypeAlias = tuple[str, int, str]
"""A dated entry: whose and which list, since when [ns], what it says."""


def entries_of_the_past(old: Network, new: Network, now: int) -> list[str]:
    """The entries before `now` [ns UTC] that `new` adds, changes or removes, one line each; the entries of a
    node (and its sensors) that `old` doesn't know are its adoption and never named."""
    before = {entry for entry in _entries(old, old) if entry[1] < now}
    after = {entry for entry in _entries(new, old) if entry[1] < now}
    gone = {entry[:2]: entry[2] for entry in before - after}
    come = {entry[:2]: entry[2] for entry in after - before}
    return [_line(key, gone.get(key), come.get(key)) for key in sorted({*gone, *come})]


def _entries(network: Network, known: Network) -> Iterator[Entry]:
    for node in (node for node in network.nodes.values() if node.id in known.nodes):
        for place in node.placements:
            stands = f"{place.placement} at {place.site}{'/' if place.room else ''}{place.room}"
            height = "" if place.height is None else f", {place.height:g} m high"
            yield f"node[{node.id}].placed", place.since, stands + height
        for fitted in node.fitted:
            sensors = ", ".join(f"{kind} {serial}" for kind, serial in fitted.sensors)
            yield f"node[{node.id}].fitted", fitted.since, sensors
    carried = set(_serials(known))
    for entry in (entry for entry in network.calibrations if entry.serial in carried or not entry.serial):
        what = "model" if entry.correction else "raw"
        form = f"{entry.name}: {entry.gain:g}·{what} + {entry.offset:g} + {entry.rh:g}·RH, u {entry.u:g}"
        whose = entry.serial or f"the fleet{' of ' if entry.type else ''}{entry.type}"
        yield f"calibration of {entry.quantity} of {whose}", entry.since, form


def _serials(network: Network) -> Iterable[str]:
    return (s for node in network.nodes.values() for fitted in node.fitted for _, s in fitted.sensors)


def _line(key: tuple[str, int], gone: str | None, come: str | None) -> str:
    since = datetime.fromtimestamp(key[1] // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    verb = "changed" if gone and come else "removed" if gone else "added"
    says = f"{gone} -> {come}" if gone and come else gone or come or "nothing"
    return f"{key[0]}: entry since {since} {verb} ({says})"
