"""Rooms of a scene, and the outdoor air, as answers."""

from collections.abc import Iterable, Mapping

from edge.index.school import limits
from edge.network import Room, Site
from edge.quantity import QUANTITIES
from gateway.console import spoken
from gateway.console.advice import RANKS
from gateway.console.answers import Cell, GradeId, NodeNow, OutlookNow, RoomNow, State, Step
from gateway.console.device import actuator_now, node_now
from gateway.console.grade import GRADES
from gateway.console.scene import Scene, Stand, utc
from gateway.live import Outlook
from gateway.words import N_, Words

STATES: tuple[State, ...] = ("fresh", "stale", "dead", "never")
"""Best first: a room is as alive as its liveliest node."""


def room_now(room: Room | None, site: Site, stands: Iterable[Stand], scene: Scene) -> RoomNow:
    """A room, or the outdoor air for None."""
    id, bounds = room.id if room else "", limits(room)
    nodes = [node_now(stand, site, bounds, scene) for stand in stands if stand.at.room == id]
    values, speaker = _speaking(nodes)
    grade = max((cell.grade for cell in values.values() if cell.grade), key=RANKS.__getitem__, default=None)
    alive: State = min((node.state for node in nodes), key=STATES.index, default="never")
    return RoomNow(
        id=id,
        name=scene.name(room) if room else scene.words.gettext("Outdoors"),
        state=alive,
        grade=grade,
        word=_word(grade, alive, nodes, scene.words),
        said=next((n.said for n in nodes if n.id == speaker), scene.words.gettext("No monitor in this room")),
        node=speaker,
        values=values,
        limits=bounds,
        outlook=_outlook(nodes, speaker, scene),
        windows=_windows(scene, site.id, id),
        actuators=[actuator_now(a, site, scene) for a in scene.places.actuators(site.id, id)] if room else [],
        nodes=nodes,
    )


def _windows(scene: Scene, site: str, room: str) -> str:
    advice = scene.windows.get((site, room))
    return spoken.reason(advice.reason, scene.words) if advice else ""


def _speaking(nodes: list[NodeNow]) -> tuple[dict[str, Cell], str]:
    """The cells that speak for a room, and the node whose particles do: usable before unusable, then high
    before low, then the newest; every quantity for itself."""
    chosen: dict[str, tuple[Cell, NodeNow]] = {}
    for node in nodes:
        for name, cell in node.values.items():
            if name not in chosen or _weight(cell, node) > _weight(*chosen[name]):
                chosen[name] = (cell, node)
    first = next((name for name in ("pm25", "pm10", *chosen) if name in chosen), None)
    speaker = chosen[first][1].id if first else (nodes[0].id if nodes else "")
    return {name: cell for name, (cell, _) in chosen.items()}, speaker


def _weight(cell: Cell, node: NodeNow) -> tuple[bool, float]:
    value = cell.value if cell.value is not None else float("-inf")
    return cell.usable, value if cell.usable else -float(node.age_s or 0)


_SILENT: Mapping[State, str] = {
    "stale": N_("Old value"),
    "dead": N_("No answer"),
    "never": N_("Not heard yet"),
    "fresh": N_("No grade"),
}


def _word(grade: GradeId | None, alive: State, nodes: list[NodeNow], words: Words) -> str:
    if grade:
        return words.gettext(GRADES[RANKS[grade]].word)
    return words.gettext(_SILENT[alive] if nodes else N_("No monitor"))


def _outlook(nodes: list[NodeNow], speaker: str, scene: Scene) -> OutlookNow | None:
    """The speaking node's outlook before any other's; what is past or comes from a silent node is none."""
    for node in sorted(nodes, key=lambda node: node.id != speaker):
        found = scene.outlook.get(node.id)
        if found and node.state == "fresh" and (steps := _steps(found, scene.now)):
            return _foretold(node.id, found, steps, scene.words)
    return None


def _steps(outlook: Outlook, now: int) -> list[Step]:
    ahead = sorted((h for h in outlook.horizons if h.target > now), key=lambda h: h.target)
    return [
        Step(horizon_s=h.horizon_s, target=utc(h.target), value=h.value, lower=h.lower, upper=h.upper)
        for h in ahead
    ]


def _foretold(node: str, outlook: Outlook, steps: list[Step], words: Words) -> OutlookNow:
    quantity = QUANTITIES[outlook.quantity]
    step = min(steps, key=lambda step: abs(step.horizon_s - 1800))
    said = words.gettext(
        "In {minutes} min: {value} {unit} (90 %: {lower} to {upper})",
        minutes=round(step.horizon_s / 60),
        value=round(step.value),
        unit=quantity.unit,
        lower=round(step.lower),
        upper=round(step.upper),
    )
    return OutlookNow(
        node=node,
        quantity=quantity.name,
        unit=quantity.unit,
        issued=utc(outlook.issued),
        model=outlook.model,
        steps=steps,
        said=said,
    )


def worst_first(room: RoomNow) -> tuple[int, float, str]:
    """Sorts rooms by grade, then by particles, then by name."""
    cell = room.values.get("pm25") or room.values.get("pm10")
    rank = RANKS[room.grade] if room.grade else -1
    return -rank, -(cell.value or 0.0) if cell and cell.usable else 0.0, room.name
