"""The air of the actuator's room, as its own nodes tell it."""

import json

INTERVALS = 3


class Room:
    """The newest PM2.5 of each node of the room; what is older than three intervals counts as silence."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.stale = 0
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

    def worst(self, up: int) -> float | None:
        """Return the highest fresh PM2.5 [µg/m³] at uptime `up`, None in silence."""
        values = [value for _, _, moment, value, i in self._heard.values() if up - moment <= INTERVALS * i]
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
