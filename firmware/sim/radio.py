"""A Wi-Fi station among access points that the configuration's `sim.points` names, for whole devices."""

GONE, WRONG, JOINING, UP = 201, 202, 1001, 1010


class Radio:
    """What `lib.wifi` asks of a station; `points` is name to password."""

    def __init__(self, points: dict) -> None:
        self.points = points
        self._state = JOINING

    def active(self, on: bool) -> None:
        """Nothing."""

    def ifconfig(self, address: object) -> None:
        """Nothing: the network is the machine's."""

    def connect(self, name: str, password: str | None) -> None:
        """Be in the network, or know why not."""
        self._state = GONE if name not in self.points else UP if self.points[name] == password else WRONG

    def disconnect(self) -> None:
        """Leave."""
        self._state = JOINING

    def isconnected(self) -> bool:
        """Return whether it is in a network."""
        return self._state == UP

    def status(self) -> int:
        """Return the state's number."""
        return self._state

    def scan(self) -> list:
        """Return the access points in sight."""
        return [(name.encode(), b"", 1, -60, 3, False) for name in self.points]
