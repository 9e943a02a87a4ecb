"""The air of the actuator's room, as its own nodes tell it."""

import json

from micropython import const

INTERVALS = 3
# What a node says of later than this isn't acted upon yet; and for no longer than this. [s]
AHEAD_S = 1800
_TTL_S = const(900)


class Room:
    """The newest PM2.5 of each node of the room; what is older than three intervals counts as silence."""

    def __init__(self, interval: int, ahead: int = AHEAD_S) -> None:
        self.interval = interval
        self.ahead = ahead
        self.stale = 0
        self._expected: dict = {}  # node: (second it is of, the value, uptime at which it is void)
        self._heard: dict = {}  # node: (log, seq, uptime of the newest sample, its value, interval)

    def hear(self, node: str, payload: bytes, up: int, utc: int | None) -> None:
        """Take a batch at uptime `up` [s]; raise ValueError, KeyError or TypeError where it is malformed."""
        batch = json.loads(payload)
        values = batch["pm25" if "pm25" in batch else "pm25_a"]
        last = len(values) - 1
        while last >= 0 and values[last] is None:
            last -= 1
        if last < 0:
            return
        moment = self._moment(node, batch, up, utc, last, len(values) - 1 - last)
        known = self._heard.get(node)
        if moment is None or (known and moment < known[2]):
            self.stale += 1
            return
        self._heard[node] = (
            batch["log"],
            batch["seq"],
            moment,
            values[last] + 0,
            max(self.interval, batch["dt"]),
        )

    def expect(self, node: str, payload: bytes, up: int, utc: int | None) -> None:
        """Take a node's own forecast at uptime `up` [s]; raise ValueError, KeyError or TypeError where it is
        malformed."""
        said = json.loads(payload)
        if said["quantity"] != "pm25":
            return
        issued, ttl = said["issued"], min(said["ttl"] + 0, _TTL_S)
        soon = [value + 0 for value, s in zip(said["value"], said["ahead"]) if s <= self.ahead]
        before, _, void = self._expected.get(node, (None, 0, 0))
        late = 0 if utc is None or issued is None else max(0, utc - issued)
        older = up < void and before is not None and issued is not None and issued < before
        if not soon or late >= ttl or older:
            self.stale += 1
            return
        self._expected[node] = (issued, max(soon), up + ttl - late)

    def worst(self, up: int) -> float | None:
        """Return the highest fresh PM2.5 [µg/m³] of now or, by the nodes' own forecasts, of soon at uptime
        `up`; None in silence."""
        values = [value for _, _, moment, value, i in self._heard.values() if up - moment <= INTERVALS * i]
        values += [value for _, value, void in self._expected.values() if up < void]
        return max(values) if values else None

    def _moment(
        self, node: str, batch: dict, up: int, utc: int | None, last: int, missing: int
    ) -> int | None:
        dt = batch["dt"]
        if utc is not None and batch["t0"] is not None:
            return up - max(0, utc - batch["t0"] - dt * last)
        known = self._heard.get(node)
        # Without a clock on either side only the order tells a fresh batch from a late one.
        if known and known[0] == batch["log"] and batch["seq"] <= known[1]:
            return None
        return up - dt * missing
