"""The fixtures of the firmware's bench, for nodes that are renewed."""

from tests.firmware.conftest import ear as ear
from tests.firmware.conftest import wires as wires
