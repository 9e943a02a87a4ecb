"""What is noted while the demonstration runs (how late things are), and what a room's nodes say now."""

from edge.readings import SECOND
from gateway.serve import Gateway
from gateway.world import World


class Watching:
    """Looks at the gateway some times a second: the river's lag, and the age of the newest sample [s]."""

    def __init__(self, gateway: Gateway, world: World) -> None:
        self._gateway, self._world = gateway, world
        self.lags: list[float] = []
        self.ages: list[float] = []

    def look(self) -> None:
        """Note how things are now."""
        self.lags.append(self._gateway.metrics.value("lag_seconds"))
        latest = tuple(self._gateway.live.latest.values())
        if latest:
            newest = max(one.time for one in latest) / SECOND
            self.ages.append((self._world.now() - newest) / self._world.speed)


def measured(gateway: Gateway, site: str, room: str, quantity: str = "pm25") -> float | None:
    """The newest calibrated value of a room's (empty: the outdoor) nodes in the quantity's unit."""
    live = gateway.live
    nodes = live.network.nodes_in(site, room, live.now)
    found = [live.latest[node.id].values for node in nodes if node.id in live.latest]
    return next((values[quantity].value for values in found if quantity in values), None)
