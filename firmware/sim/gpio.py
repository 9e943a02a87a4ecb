"""An actuator's output and button over TCP to the virtual world."""

from sim.board import Uart, Wire


class Gpio:
    """An output level and a button."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._uart = Uart(wire)
        self._told: tuple = (0, None)

    def level(self, n: int) -> None:
        """Drive the output; told once, and again when the wire was cut."""
        if self._wire.socket() and self._told != (self._wire.connections, n):
            self._uart.write(b"LEVEL %d\n" % n)
            self._told = (self._wire.connections, n)

    def pressed(self) -> int:
        """Return how often the button was pressed since the last call."""
        return (self._uart.read() or b"").count(b"BUTTON")
