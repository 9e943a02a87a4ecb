"""Care for itself, whole: a node that hangs, one that always crashes, its crash log, `identify`."""

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.firmware.conftest import Start
from tests.firmware.workshop import ACTUATOR, NODE, Ear, Process, Wires
from tests.servers import wait_until

INSTALL = str(Path(__file__).parent / "on_device" / "install.py")
DRIVER = """\
class Driver:
    columns = (("co2", 1),)
    def __init__(self, bus, ticks): self.ticks = ticks
    async def start(self): pass
    def errors(self): return ()
    async def read(self):
        {body}
"""


def with_driver(node: Process, micropython: str, body: str) -> None:
    """Give the node a flash with a driver of one's own."""
    node.kill()
    image, source = node.folder / "flash.img", node.folder / "odd.py"
    image.unlink(missing_ok=True)
    source.write_text(DRIVER.format(body=body))
    command = [micropython, INSTALL, str(image), str(source), "/flash/drivers/odd.py"]
    subprocess.run(command, check=True, timeout=20)


def infos(ear: Ear, device: str = "hana/1-2-a") -> list[dict[str, Any]]:
    return ear.heard("info", device)


ODD = [{"type": "odd", "serial": "O-1", "bus": "uart1"}]


def test_one_that_always_crashes_ends_in_safe_mode_and_tells_why(
    ear: Ear, start: Start, micropython: str
) -> None:
    node = start(NODE, sensors=ODD, sim={"crash_s": 0})
    with_driver(node, micropython, "raise MemoryError('no room')")
    node.start()
    wait_until(lambda: any(info.get("safe") for info in infos(ear)), 30)
    safe = next(info for info in infos(ear) if info.get("safe"))
    assert (safe["failures"], safe["cause"]) == (10, "crash")
    assert "no room" in safe["crash"]
    ear.say("cmd", {"op": "crashes", "id": "1"})
    wait_until(lambda: any(reply.get("op") == "crashes" for reply in ear.heard("reply")))
    crashes = ear.heard("reply")[-1]["crashes"]
    assert [crash["times"] for crash in crashes] == [10]
    assert "odd.py" in crashes[0]["trace"]
    ear.say("cmd", {"op": "reboot", "id": "2"})  # in vain: its failures are kept
    count = len(infos(ear))
    wait_until(lambda: len(infos(ear)) > count and infos(ear)[-1].get("safe"), 10)


def test_one_that_hangs_is_killed_by_its_watchdog(ear: Ear, start: Start, micropython: str) -> None:
    node = start(NODE, sensors=ODD, arm_ms=0, sim={"watchdog_s": 2})
    with_driver(node, micropython, "while True: pass")
    node.start()
    wait_until(lambda: not node.alive, 20)
    assert node.process is not None
    assert node.process.returncode == -9


def test_a_healthy_one_is_not_killed(ear: Ear, start: Start) -> None:
    node = start(NODE, arm_ms=0, sim={"watchdog_s": 7})
    wait_until(lambda: len(ear.heard("obs")) >= 10 and infos(ear)[-1]["up"] > 900, 30)
    assert node.alive
    ear.say("cmd", {"op": "identify", "id": "1"})
    wait_until(lambda: "identify 1-2-a" in node.log)


def test_an_actuator_in_safe_mode_is_at_its_safe_level(
    ear: Ear, start: Start, micropython: str, wires: Wires
) -> None:
    start(ACTUATOR, levels="none", sim={"crash_s": 0})
    wait_until(lambda: any(info.get("safe") for info in infos(ear, "hana/p-1")), 30)
    wait_until(lambda: wires.levels[-1:] == [1])


def test_the_page_about_the_lamp_is_the_firmware_s_table() -> None:
    source = (Path(__file__).parents[2] / "firmware" / "lib" / "lamp.py").read_text()
    names = next(
        ast.literal_eval(node.value.args[0])
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.targets[0]) == "_NAMES"
    )
    page = (Path(__file__).parents[2] / "docs" / "lamp.md").read_text()
    rows = [line.split(" | ")[:2] for line in page.splitlines() if re.match(r"\| \d", line)]
    assert rows == [[f"| {n}", name] for n, name in enumerate(names.split(), 1)]
