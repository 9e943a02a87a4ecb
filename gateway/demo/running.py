"""The demonstration's parts, started in their order and stopped in the opposite one."""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from edge.decision import Policy
from edge.network import Network
from edge.problem import Problem
from gateway import receive
from gateway.broker import Broker
from gateway.clock import DataClock
from gateway.console import create_app, serve_console
from gateway.demo.scene import network_file, scene
from gateway.demo.watching import Watching
from gateway.demo.witness import Seen, Witness, missing
from gateway.network import load
from gateway.publish import Publisher
from gateway.serve import Gateway, Options
from gateway.world.configuration import Brokers
from gateway.world.devices import devices
from gateway.world.virtual import VirtualDevices

TELL_S = 0.2
"""Machine seconds between two announcements of the simulated time."""
SETTLE_S = 8.0
"""Machine seconds that the last batches and acknowledgements may take."""
LINGER_S = 0.05
QUIET_S = 600.0
"""Simulated seconds that an hour has been quiet before it is archived."""
TRAIN_S = 3 * 3600.0
"""Simulated seconds between two trainings: by the first, six rooms have just enough to learn from."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the demonstration runs: `speed` times the clock; `console` (host, port); `broker` None: our own;
    `data` None: a temporary folder."""

    speed: float = 60.0
    seed: int = 1
    console: tuple[str, int] = ("127.0.0.1", 0)
    broker: receive.Broker | None = None
    data: Path | None = None
    network: Path | None = None


REPEAT_S, LIFE_S = 1, 10
"""Machine seconds after which a command is said again, and for which it lives, at least."""


def in_time(policy: Policy, speed: float) -> Policy:
    """The policy where simulated time flies: the wire and the devices answer no faster than ever."""
    repeat_s, ttl_s = round(REPEAT_S * speed), round(LIFE_S * speed)
    return replace(policy, repeat_s=max(policy.repeat_s, repeat_s), ttl_s=max(policy.ttl_s, ttl_s))


class Part(Protocol):
    """What is started and stopped; `stop` may be called at any time."""

    def start(self) -> object: ...
    def stop(self) -> None: ...


class Demo:
    """World, broker, gateway, console and devices as one; `say` is told of each step of the start.

    Raises `Problem` where a part can't start; what was started by then is stopped.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None] = lambda step: None) -> None:
        self.settings, self._say = settings, say
        self.witness = Witness()
        self.began = 0.0
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._parts = parts
            self._start()
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every part, each child waited for; a temporary folder is removed."""
        self._parts.close()

    # -- starting ---------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.folder = self._folder()
        path = self.settings.network or network_file()
        self.network: Network = load(path)
        if not self.network.nodes:
            raise Problem("no node stands in it", str(path), "the demonstration needs a school with nodes")
        self._say("broker")
        where = self.settings.broker or self._own_broker()
        self._say("gateway")
        self._start_gateway(path, where)
        self._say("virtual schools")
        self.world = scene(self.network, self.settings.seed, self.settings.speed)
        self._begin(self.world)
        self._start_clock(where)
        self._say("devices")
        brokers = Brokers(((where.host, where.port),), where.user, where.password)
        self.devices = devices(self.world, self.folder / "devices", brokers)
        self._begin(self.devices)
        self.began = time.monotonic()

    def _begin(self, part: Part) -> None:
        self._parts.callback(part.stop)  # first: a start that is interrupted is undone too
        part.start()

    def _folder(self) -> Path:
        kept = self.settings.data
        if kept is None:
            lenient = os.name == "nt"  # Windows deletes nothing that is open
            temporary = tempfile.TemporaryDirectory(prefix="gongi-demo-", ignore_cleanup_errors=lenient)
            return Path(self._parts.enter_context(temporary))
        if kept.exists() and any(kept.iterdir()):
            advice = "a demonstration begins anew each time: name a new folder"
            raise Problem("the folder isn't empty", str(kept), advice)
        kept.mkdir(parents=True, exist_ok=True)
        return kept

    def _own_broker(self) -> receive.Broker:
        self.broker = Broker(self.folder / "broker")
        self._begin(self.broker)
        return receive.Broker(self.broker.reach, self.broker.port)

    def _start_gateway(self, path: Path, where: receive.Broker) -> None:
        policy = in_time(Policy(), self.settings.speed)
        options = Options(
            path,
            self.folder / "data",
            where,
            policy=policy,
            archive_quiet=QUIET_S / self.settings.speed,
            train_every=TRAIN_S / self.settings.speed,
            train_first=TRAIN_S / self.settings.speed,
            linger=LINGER_S,
        )
        self.gateway = Gateway(options, DataClock())
        self._begin(self.gateway)
        gateway = self.gateway
        shown = (gateway.live, gateway.history, gateway.report, gateway.metrics.text)
        page = create_app(*shown, overrides=gateway.overrides)
        serving = serve_console(page, *self.settings.console)
        self._parts.callback(serving.stop)
        self.url = serving.url

    def _start_clock(self, where: receive.Broker) -> None:
        self.watching = Watching(self.gateway, self.world)
        root = self.network.root
        name = f"gongi-demo-{os.getpid()}"
        self._voice = Publisher(where, name, (f"{root}/+/+/obs",), told=self.witness.note)
        self._begin(self._voice)
        ended = threading.Event()
        teller = threading.Thread(target=self._tell, args=(ended,), name="simulated time", daemon=True)
        teller.start()
        self._parts.callback(teller.join)
        self._parts.callback(ended.set)

    def _tell(self, ended: threading.Event) -> None:
        while not ended.wait(TELL_S):
            self._voice.publish(f"{self.network.root}/time", str(self.world.second()).encode(), qos=0)
            self.watching.look()

    # -- what it is -------------------------------------------------------------------------------------

    @property
    def firmware(self) -> bool:
        """Whether the devices are MicroPython processes with the real firmware."""
        return not isinstance(self.devices, VirtualDevices)

    @property
    def crashed(self) -> tuple[str, ...]:
        """The parts that have ended and shouldn't."""
        running = {"gateway": not self.gateway.failed, "virtual schools": self.world.wiring.running}
        return tuple(name for name, runs in running.items() if not runs)

    def complaints(self) -> tuple[str, ...]:
        """The last line of each device that ended on an exception, as its log has it."""
        ends = ((log.stem, log.read_text("utf-8", "replace").rstrip()) for log in self._device_logs())
        return tuple(f"{name}: {text.splitlines()[-1]}" for name, text in ends if "Traceback" in text)

    def _device_logs(self) -> list[Path]:
        return sorted((self.folder / "devices").glob("*.log"))

    def ledger(self) -> list[dict[str, Any]]:
        """The gateway's ledger."""
        rows: list[dict[str, Any]] = self.gateway.report()["logs"]
        return rows

    # -- ending -----------------------------------------------------------------------------------------

    def settle(self, within: float = SETTLE_S) -> Seen:
        """Wait until the gateway has all that has passed the broker by now, without gaps, and each command is
        acknowledged; returns what has passed."""
        seen = self.witness.seen()
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and not self._settled(seen):
            time.sleep(0.05)
        return seen

    def _settled(self, seen: Seen) -> bool:
        ledger = self.ledger()
        open_gaps = any(row["gaps"] for row in ledger)
        acting = tuple(self.gateway.live.acting.values())
        unheard = any(one.command and not one.acknowledged for one in acting)
        return not (open_gaps or unheard or missing(seen, ledger))
