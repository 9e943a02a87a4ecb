"""What level, and why: the button, else a valid command, else the room's node, else the safe level."""

OVERRIDE_S = 3600
TTL_S = 300
# PM2.5 [µg/m³], now or soon, that starts and stops the actuator when only its room's node speaks to it.
ON, OFF = 35, 20


def term_and_counter(name: str) -> tuple:
    """Return the two numbers of a command's id; raise ValueError."""
    term, counter = name.split("-")
    return (int(term), int(counter))


class Command:
    """A command in force: void at `issued + ttl` and, whatever the clocks say, `ttl` after its arrival."""

    def __init__(self, name: str, issued: int, ttl: int, level: int, arrived: int) -> None:
        self.name = name
        self.issued = issued
        self.ttl = ttl
        self.level = level
        self.arrived = arrived

    def void(self, up: int, utc: int | None) -> bool:
        """Return whether its time has passed at uptime `up` [s] and UTC second `utc`."""
        return up >= self.arrived + self.ttl or (utc is not None and utc >= self.issued + self.ttl)


class Control:
    """The actuator's decision; knows no network and no clock."""

    def __init__(self, config: dict, room: object) -> None:
        self.levels = config["levels"]
        self.safe = config["safe_level"]
        self.ttl = config.get("ttl_default") or TTL_S
        self.room = room
        fallback = config.get("fallback") or {}
        self._on = fallback.get("on", ON)
        self._off = fallback.get("off", OFF)
        self._high = fallback.get("level", self.levels - 1)
        self._low = fallback.get("rest", self.safe)
        self._running = False
        self.refused = {"old": 0, "void": 0, "level": 0}
        self.command: Command | None = None
        self.last: tuple | None = None
        self._override: tuple | None = None
        self.sources = (
            ("button", self._button),
            ("command", self._commanded),
            ("fallback", self._fallback),
            ("safe", lambda up: self.safe),
        )

    def obey(self, message: dict, up: int, utc: int | None) -> bool:
        """Take a `set` message; return whether it is to be acknowledged, obeyed or repeated."""
        number = term_and_counter(message["id"])
        if self.last and number <= self.last:
            self.refused["old"] += number < self.last
            return number == self.last
        command = Command(
            message["id"],
            int(message["issued"]),
            int(message.get("ttl") or self.ttl),
            int(message["level"]),
            up,
        )
        if not 0 <= command.level < self.levels:
            self.refused["level"] += 1
            return False
        if command.void(up, utc):
            self.refused["void"] += 1
            return False
        self.command = command
        self.last = number
        return True

    def press(self, level: int, up: int) -> None:
        """The button: one level up, from the highest to off; people have the last word for an hour."""
        self._override = ((level + 1) % self.levels, up + OVERRIDE_S)

    def expire(self, up: int, utc: int | None) -> str | None:
        """Drop a command whose time has passed and return its id; any id is obeyed again after it."""
        if not self.command or not self.command.void(up, utc):
            return None
        name, self.command, self.last = self.command.name, None, None
        return name

    def decide(self, up: int) -> tuple:
        """Return level and cause: the first source that has a level."""
        for cause, source in self.sources:
            level = source(up)
            if level is not None:
                return level, cause
        raise AssertionError("the safe level is always there")

    def _button(self, up: int) -> int | None:
        if self._override and up >= self._override[1]:
            self._override = None
        return self._override[0] if self._override else None

    def _commanded(self, up: int) -> int | None:
        return self.command.level if self.command else None

    def _fallback(self, up: int) -> int | None:
        worst = self.room.worst(up)
        if worst is None:
            self._running = False
            return None
        self._running = worst >= self._on or (self._running and worst > self._off)
        return self._high if self._running else self._low
