"""The first stage: bytes to readings, reports, quarantined messages and dead letters."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

import msgspec

from edge import report, wire
from edge.discovery import BIRTH
from edge.report import Report, State
from edge.wire import Address, Letter
from gateway.block import Waiting
from gateway.clock import Clock
from gateway.foreign import Foreign
from gateway.live import Live, Stranger
from gateway.metrics import Metrics
from gateway.receive import Message
from gateway.river import Block

OURS = frozenset({"set", "cmd", "now"})
"""Kinds of message that gateways send: seen again because we listen to the whole root."""

REPORTS = frozenset({"info", "reply", "state", "status", "ask"})
_KINDS = REPORTS | {"obs", "forecast"}

MOST_STRANGERS = 1000
"""Unknown nodes whose newest samples are at hand; anybody can invent more."""


class Decode:
    """Bytes to readings, reports, quarantined messages and dead letters."""

    def __init__(self, live: Live, clock: Clock, metrics: Metrics, foreign: Foreign) -> None:
        self._live, self._clock, self._metrics, self._foreign = live, clock, metrics, foreign
        self._address = lru_cache(maxsize=1 << 18)(lambda topic: wire.address(live.network.root, topic))

    def __call__(self, block: Block) -> Block:
        known, where = self._live.network.nodes, self._address
        obs = [
            (message, address)
            for message in block.messages
            if (address := where(message.topic)) and address.kind == "obs" and address.device in known
        ]
        other = _Sorted([], [], [], Counter(obs=len(obs)))
        if len(obs) < len(block.messages):
            for message in block.messages:
                self._sort(message, other)
        decoded = wire.decode(
            [address.device for _, address in obs],
            [message.topic for message, _ in obs],
            [message.payload for message, _ in obs],
            self._clock.now(),
        )
        letters = (*block.letters, *other.letters, *decoded.letters, *decoded.impossible)
        return replace(
            block,
            then=block.after(lambda: self._done(decoded, len(letters), other)),
            readings=decoded.readings,
            reports=tuple(other.reports),
            letters=letters,
            waiting=tuple(other.waiting),
        )

    def _sort(self, message: Message, out: "_Sorted") -> None:
        """Put a message that isn't a known node's `obs` where it belongs."""
        address = self._address(message.topic)
        kind = address.kind if address and address.kind in _KINDS else "other"
        if address is None:
            self._other(message, out)
        elif kind == "obs":
            if address.device in self._live.network.nodes:
                return
            self._strange(address, message, out)
        elif kind in REPORTS:
            self._report(address, message, out)
        elif address.kind not in OURS and kind != "forecast":
            reason = f"unknown kind of message: {address.kind}"
            out.letters.append(Letter(message.topic, message.payload, reason))
        out.kinds[kind] += 1

    def _strange(self, address: Address, message: Message, out: "_Sorted") -> None:
        if len(message.payload) > wire.MAX_BYTES:
            reason = f"{len(message.payload)} bytes, at most {wire.MAX_BYTES} are allowed"
            out.letters.append(Letter(message.topic, message.payload, reason))
        else:
            out.waiting.append(Waiting(address.device, message.topic, message.payload))

    def _report(self, address: Address, message: Message, out: "_Sorted") -> None:
        if not message.payload:
            return  # a retained topic was cleared
        found = report.decode(address.kind, message.topic, message.payload)
        actuator = self._live.network.actuators.get(address.device)
        if isinstance(found, Letter):
            out.letters.append(found)
        elif isinstance(found, State) and actuator and found.level >= len(actuator.levels):
            reason = f"level {found.level}, where {actuator.id} has 0 to {len(actuator.levels) - 1}"
            out.letters.append(Letter(message.topic, message.payload, reason))
        else:
            out.reports.append((address, found))

    def _other(self, message: Message, out: "_Sorted") -> None:
        root = self._live.network.root
        if message.topic == f"{root}/time":
            self._announce(message, out)
        elif message.topic == BIRTH:
            self._live.births += message.payload == b"online"
        elif (heard := self._foreign.hear(message)) is not None:
            out.take(heard)
        elif not re.fullmatch(rf"{re.escape(root)}/gateway/{wire.ID}/status", message.topic):
            self._metrics.count("unknown_topics")
            out.letters.append(Letter(message.topic, message.payload, "the topic is not of the wire"))

    def _announce(self, message: Message, out: "_Sorted") -> None:
        try:
            second = msgspec.json.decode(message.payload, type=int)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            out.letters.append(Letter(message.topic, message.payload, f"not a UTC second: {error}"))
            return
        if wire.EARLIEST <= second <= wire.LATEST:
            self._clock.announce(second)

    def _done(self, decoded: wire.Decoded, letters: int, out: "_Sorted") -> None:
        self._count(decoded, letters, out)
        self._show(out.waiting)

    def _show(self, waiting: list[Waiting]) -> None:
        """Have each unknown node's newest samples at hand, those of the latest nodes."""
        strangers, at = self._live.strangers, self._clock.now() or 0
        for one in waiting:
            strangers.pop(one.node, None)
            strangers[one.node] = Stranger(at, one.topic, one.payload)
        for node in list(strangers)[:-MOST_STRANGERS]:
            del strangers[node]

    def _count(self, decoded: wire.Decoded, letters: int, out: "_Sorted") -> None:
        for kind, amount in out.kinds.items():
            self._metrics.count("messages", amount, kind=kind)
        counts = {
            "letters": letters,
            "unknown_fields": sum(decoded.unknown.values()),
            "impossible_times": len(decoded.impossible),
            "quarantined": len(out.waiting),
        }
        for name, amount in counts.items():
            self._metrics.count(name, amount)


@dataclass(slots=True)
class _Sorted:
    """A block's messages but known nodes' samples, by what they are, and how many came of each kind."""

    reports: list[tuple[Address, Report]]
    letters: list[Letter]
    waiting: list[Waiting]
    kinds: Counter[str]

    def take(self, heard: list[tuple[Address, Report]] | Letter) -> None:
        """A foreign device's message, understood or not."""
        if isinstance(heard, Letter):
            self.letters.append(heard)
        else:
            self.reports.extend(heard)
            self.kinds["foreign"] += 1
