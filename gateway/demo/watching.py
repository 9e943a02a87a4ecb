"""What is noted while the demonstration runs: when each purifier started and why, and how late things were."""

from dataclasses import dataclass

from edge.readings import SECOND
from gateway.live import Acting
from gateway.serve import Gateway
from gateway.world import World


@dataclass(frozen=True, slots=True)
class Start:
    """An actuator told to run: `minute` of the simulation, PM2.5 of its room as measured, as it truly was, and
    its limit [µg/m³], the level and the reason that came with the command."""

    actuator: str
    site: str
    room: str
    minute: float
    measured: float | None
    true: float
    limit: float
    level: int
    reason: str

    @property
    def ahead(self) -> bool:
        """Whether the room was still within its limit."""
        return self.measured is not None and self.measured <= self.limit


class Watching:
    """Looks at the gateway's present some times a second: each actuator's first start, and the lags."""

    def __init__(self, gateway: Gateway, world: World) -> None:
        self._gateway, self._world = gateway, world
        self.starts: dict[str, Start] = {}
        self.lags: list[float] = []
        self.ages: list[float] = []

    def look(self) -> None:
        """Note what is new."""
        for name, acting in tuple(self._gateway.live.acting.items()):
            if acting.told and name not in self.starts:
                self.starts[name] = self._start(name, acting)
        self.lags.append(self._gateway.metrics.value("lag_seconds"))
        latest = tuple(self._gateway.live.latest.values())
        if latest:
            newest = max(one.time for one in latest) / SECOND
            self.ages.append((self._world.now() - newest) / self._world.speed)

    def _start(self, name: str, acting: Acting) -> Start:
        live = self._gateway.live
        actuator = live.network.actuators[name]
        room = live.network.sites[actuator.site].rooms[actuator.room]
        return Start(
            name,
            actuator.site,
            actuator.room,
            round((acting.told_at / SECOND - self._world.begun) / 60, 1),
            measured(self._gateway, actuator.site, actuator.room, acting.told_at),
            round(self._world.air(actuator.site, actuator.room).pm25, 1),
            room.limits.get("pm25", self._gateway.options.policy.limit),
            acting.told or 0,
            acting.reason,
        )


def measured(gateway: Gateway, site: str, room: str, now: int, quantity: str = "pm25") -> float | None:
    """The newest calibrated value of a room's (empty: the outdoor) nodes in the quantity's unit, None for none."""
    live = gateway.live
    found = [
        live.latest[node.id] for node in live.network.nodes_in(site, room, now) if node.id in live.latest
    ]
    values = [one.values[quantity].value for one in found if quantity in one.values]
    return values[0] if values else None
