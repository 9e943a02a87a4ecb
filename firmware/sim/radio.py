"""A Wi-Fi station among access points that the configuration's `sim.points` names, for whole devices."""

from micropython import const

_GONE = const(201)
_WRONG = const(202)
_JOINING = const(1001)
_UP = const(1010)


class Radio:
    """What `lib.wifi` asks of a station; `points` is name to password."""

    def __init__(self, points: dict) -> None:
        self.points = points
        self._state = _JOINING

    def active(self, on: bool) -> None:
        """Nothing."""

    def ifconfig(self, address: object) -> None:
        """Nothing: the network is the machine's."""

    def connect(self, name: str, password: str | None) -> None:
        """Be in the network, or know why not."""
        self._state = _GONE if name not in self.points else _UP if self.points[name] == password else _WRONG

    def disconnect(self) -> None:
        """Leave."""
        self._state = _JOINING

    def isconnected(self) -> bool:
        """Return whether it is in a network."""
        return self._state == _UP

    def status(self) -> int:
        """Return the state's number."""
        return self._state

    def scan(self) -> list:
        """Return the access points in sight."""
        return [(name.encode(), b"", 1, -60, 3, False) for name in self.points]
