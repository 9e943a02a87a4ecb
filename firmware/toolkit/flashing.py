"""From a board on a cable to a node that the gateway hears: the steps in one tuple, a loop over them."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from edge.problem import Problem
from firmware.toolkit import application, images, selftest, settings
from firmware.toolkit.boards import BOARDS, Board
from firmware.toolkit.loader import BAUD, Found, Loader, WrongBoard, loader_answers, suited
from firmware.toolkit.ports import (
    Line,
    Port,
    Ports,
    choose,
    find_again,
    has_reset_lines,
    opened,
    present,
    pulse_reset,
)
from firmware.toolkit.proof import Gateway, Proof, await_samples
from firmware.toolkit.repl import NoRepl, Repl, Running
from firmware.toolkit.secrets import Credentials
from firmware.toolkit.unfinished import COPIED, ERASED, WRITTEN, Unfinished

FIRST_S, PROBE_S, BOOT_S = 0.5, 6.0, 25.0
"""How long a board is asked at first; one that may be in the middle of a TLS handshake, for its spool would
be lost if it were taken for an empty one; and one that makes its file system first [s]."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: the device, how it reaches its broker, and how far to go."""

    device: settings.Device
    reach: settings.Reach
    credentials: Credentials
    authorities: Sequence[Path]
    drivers: Sequence[Path] = ()
    port: str = ""
    image: Path | None = None
    erase: bool = False
    dry: bool = False
    examine: bool = True
    baud: int = BAUD
    gateway: Gateway | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    """Boards that are other devices of a batch, by MAC address."""
    model: Mapping[str, bytes] = field(default_factory=dict)
    """The files of the model that it carries (`firmware.toolkit.foresight`)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the steps meet outside: ports, the person, the cache, who shows progress."""

    cache: Path
    ports: Ports = present
    ask: Callable[[Sequence[Port]], Port] | None = None
    tell: Callable[[str], None] = lambda words: None
    probe_s: float = PROBE_S
    source: str = images.SOURCE


@dataclass
class Work:
    """What is known so far; lives from the first step to the last of one board."""

    order: Order
    around: Surroundings
    port: Port = field(default_factory=lambda: Port(""))
    lines: bool = False
    running: Running | None = None
    found: Found | None = None
    image: Path | None = None
    sum: str = ""
    mac: str = ""
    resumed: str = ""
    erased: bool = False
    application: dict[str, bytes] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    before: str = ""
    proof: Proof | None = None
    line: Line | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def unfinished(self) -> Unfinished:
        """What was begun on boards and not finished."""
        return Unfinished(self.around.cache / "flash")

    @property
    def chip(self) -> str:
        """The chip's name, by its loader or by MicroPython."""
        return self.found.chip if self.found else chip_of(self.running)

    @property
    def board(self) -> Board:
        """The wiring of the board on the line."""
        return BOARDS[self.chip]

    @property
    def sensors(self) -> list[dict[str, str]]:
        """The device's sensors with their buses."""
        device = self.order.device
        return settings.place(device.sensors, self.board) if device.kind == "node" else []

    def repl(self) -> Repl:
        """The board's REPL, on a line that stays open until `hang_up`."""
        if self.line is None:
            self.port = find_again(self.port, self.around.ports)
            self.line = self.stack.enter_context(opened(self.port))
        return Repl(self.line, self.port.device)

    def hang_up(self) -> None:
        """Leave the line to esptool."""
        self.stack.close()
        self.line = None


Progress = Callable[[float], None]
Step = tuple[str, int, Callable[[Work, Progress], None]]


def chip_of(running: Running | None) -> str:
    """The chip that MicroPython names, empty for none of ours."""
    words = re.findall(r"ESP32\w*", running.machine) if running else []
    return next((chip.name for chip in images.CHIPS.values() if words and chip.words == words[-1]), "")


def prepare(work: Work, progress: Progress) -> None:
    """Make all that can be made without the board, and ask the gateway: what is wrong there is said first."""
    order, device = work.order, work.order.device
    built = application.build(device.kind, work.around.cache / "mpy", order.drivers)
    work.application = {**order.model, **built}
    settings.configuration(device, order.reach, order.credentials, order.authorities)
    if order.gateway:
        work.before = order.gateway.seen(device.id).time


def release(image: Path | None, chip: str) -> str:
    """The MicroPython that is wanted: of an image of one's own by its name, where that says it."""
    named = re.search(r"v(\d+\.\d+\.\d+)", image.name) if image else None
    return named[1] if named else images.IMAGES[chip].version


def find(work: Work, progress: Progress) -> None:
    """Find the port, and whether the computer can reset the board."""
    work.port = choose(work.order.port, work.around.ports, work.around.ask)
    with opened(work.port) as line:
        work.lines = has_reset_lines(line)


def probe(work: Work, progress: Progress) -> None:
    """Ask whether the right MicroPython runs there already: then only the application is wanted."""
    try:
        repl = work.repl()
        _reach(work, repl)
        work.running = repl.who()
    except NoRepl:
        work.hang_up()
        return
    work.mac = work.running.mac
    chip = chip_of(work.running)
    right = chip and work.running.release == release(work.order.image, chip)
    if not right or work.order.erase:
        work.running = None
        work.hang_up()
    begun = work.unfinished.of(work.mac)
    if begun and work.running:
        work.resumed = str(begun)


def _reach(work: Work, repl: Repl) -> None:
    """Enter the REPL, unless the chip's loader answers; where what runs there doesn't let go, after a reset.
    Raises `NoRepl`."""
    assert work.line is not None, "the caller holds the line open"
    with suppress(NoRepl):
        repl.enter(FIRST_S)
        return
    if loader_answers(work.line):
        raise NoRepl("the chip's loader answers", work.port.device)
    try:
        repl.enter(work.around.probe_s)
    except NoRepl:
        if not work.lines:
            raise
        pulse_reset(work.line)
        repl.enter(work.around.probe_s)


def identify(work: Work, progress: Progress) -> None:
    """Ask the chip's loader who it is; refuse what the image can't run on, or what lacks a sensor's bus."""
    if not work.running:
        work.found = loader(work).identify()
        work.mac = work.found.mac
        suited(work.found, work.port.device, own_image=work.order.image is not None)
    other = work.order.others.get(work.mac, work.order.device.id)
    if other != work.order.device.id:
        advice = f"plug in another board; to make it {work.order.device.id} all the same: gongi flash --node"
        raise WrongBoard(f"this board is {other} already", work.port.device, advice)
    settings.place(work.order.device.sensors, work.board)


def fetch(work: Work, progress: Progress) -> None:
    """Have the image, and check it against the chip."""
    if work.running or not work.found:
        return
    chip = work.found.chip
    where = work.around.cache / "images"
    work.image = work.order.image or images.obtain(chip, where, progress, work.around.source)
    images.check(work.image, chip, work.found.flash_bytes)
    work.sum = sha256(work.image.read_bytes()).hexdigest()
    begun = work.unfinished.of(work.mac)
    if begun and begun.image == work.sum and not work.order.erase:
        work.erased = begun.stage == ERASED
        work.resumed = str(begun)


def erase(work: Work, progress: Progress) -> None:
    """Erase the flash, unless that was as far as an earlier call got."""
    if work.running or work.order.dry or work.erased:
        return
    loader(work).erase()
    _reached(work, ERASED)


def write(work: Work, progress: Progress) -> None:
    """Write and verify the image, then start it."""
    if work.running or work.order.dry or not work.image or not work.found:
        return
    loader(work).write(work.image, images.CHIPS[work.found.chip].offset, progress)
    _reached(work, WRITTEN)
    loader(work).start()
    work.running = _awake(work).who()


def _awake(work: Work) -> Repl:
    """The REPL of a board that starts; a chip's own USB port goes away and comes back meanwhile."""
    deadline = time.monotonic() + BOOT_S
    while True:
        try:
            repl = work.repl()
            repl.enter(max(1.0, deadline - time.monotonic()))
            return repl
        except (Problem, OSError) as error:
            work.hang_up()
            if time.monotonic() > deadline:
                advice = "press EN (RST) once and repeat the call: it goes on from here"
                raise NoRepl("MicroPython is written and doesn't start", work.port.device, advice) from error
            time.sleep(0.2)


def copy(work: Work, progress: Progress) -> None:
    """Copy the application: only the files that differ."""
    if work.order.dry:
        return
    work.changed = application.install(work.repl(), work.application, progress)
    _reached(work, COPIED)


def configure(work: Work, progress: Progress) -> None:
    """Write who the device is, its networks, brokers, credentials and authorities."""
    if work.order.dry:
        return
    order, now = work.order, int(time.time())
    files = settings.configuration(
        order.device, order.reach, order.credentials, order.authorities, work.board, now
    )
    work.repl().copy(files, progress)


def examine(work: Work, progress: Progress) -> None:
    """Let the board try its sensors, its Wi-Fi and its broker."""
    if not work.order.dry and work.order.examine:
        selftest.examine(work.repl(), work.sensors, work.board, work.port.device)


def prove(work: Work, progress: Progress) -> None:
    """Reset the board and wait until the gateway has a sample of every sensor."""
    if work.order.dry:
        return
    gateway, device = work.order.gateway, work.order.device
    work.repl().reset()
    if gateway and device.kind == "node":
        work.proof = await_samples(
            gateway, device.id, work.sensors, work.board, work.before, _ear(work), progress
        )


# What is done, its share of the time, how.
STEPS: tuple[Step, ...] = (
    ("preparation", 1, prepare),
    ("port", 1, find),
    ("probe", 3, probe),
    ("chip", 4, identify),
    ("image", 8, fetch),
    ("erase", 10, erase),
    ("write", 35, write),
    ("application", 12, copy),
    ("settings", 2, configure),
    ("self-test", 10, examine),
    ("gateway", 40, prove),
)


def flash(order: Order, around: Surroundings, show: Callable[[str, float], None]) -> Work:
    """Flash one board; `show` hears each step and the share of the whole. Raises `Problem`s."""
    work = Work(order, around)
    total, done, told = sum(weight for _, weight, _ in STEPS), 0, False
    with work.stack:
        for name, weight, step in STEPS:
            part = _Part(show, name, done / total, weight / total)
            part(0.0)
            step(work, part)
            done += weight
            if work.resumed and not told:
                told = True
                work.around.tell(f"taken up again: {work.resumed}")
    if not order.dry:
        work.unfinished.done(work.mac)
    show("done", 1.0)
    return work


@dataclass(frozen=True, slots=True)
class _Part:
    """A step's progress as a part of the whole."""

    show: Callable[[str, float], None]
    name: str
    start: float
    weight: float

    def __call__(self, share: float) -> None:
        self.show(self.name, round(self.start + self.weight * share, 4))


def loader(work: Work) -> Loader:
    """The loader on the board's port, under the name that it has now."""
    work.hang_up()
    work.port = find_again(work.port, work.around.ports)
    return Loader(work.port.device, work.lines, work.order.baud)


def _reached(work: Work, stage: str) -> None:
    work.unfinished.reached(work.mac, stage, work.order.device.id, work.sum)


def _ear(work: Work) -> Callable[[], str]:
    """Hears the board's console; a port that comes and goes with a reset is silence."""

    def hear() -> str:
        try:
            if work.line is None:
                work.repl()
            assert work.line is not None, "just opened"
            return work.line.read(max(1, work.line.in_waiting)).decode(errors="replace")
        except (Problem, OSError):
            work.line = None
            return ""

    return hear


def outcome(work: Work, seconds: float) -> Mapping[str, object]:
    """What was done, for the register and `--json`."""
    running = work.running
    return {
        "node": work.order.device.id,
        "site": work.order.device.site,
        "kind": work.order.device.kind,
        "mac": work.mac,
        "chip": work.chip,
        "port": work.port.device,
        "micropython": running.release if running else "",
        "application": application.version(),
        "copied": len(work.changed),
        "resumed": bool(work.resumed),
        "values": dict(work.proof.values) if work.proof else {},
        "quarantine": bool(work.proof and work.proof.aside),
        "generation": work.order.credentials.generation,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 1),
    }
