"""What a committed block's reports change in what the gateway knows of its devices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from edge.report import Ask, Info, Reply, Report, State, Status
from edge.wire import Address
from gateway.actuate import Actuate
from gateway.asked import Asked
from gateway.ledger import GONE, Ledger
from gateway.live import Acting, Live
from gateway.metrics import Metrics

MOST_DEVICES = 200_000
"""Devices that are remembered by name: a stranger can invent no more."""


class Hear:
    """Takes in reports of known devices, one handler per kind."""

    def __init__(
        self, live: Live, ledger: Ledger, actuate: Actuate, metrics: Metrics, asked: Asked | None = None
    ) -> None:
        self._live, self._ledger, self._actuate, self._metrics = live, ledger, actuate, metrics
        self._asked = asked

    def __call__(self, reports: Sequence[tuple[Address, Report]], at: int) -> None:
        """Take in a block's reports, in their order, at [ns UTC]."""
        for address, report in reports:
            if isinstance(report, Ask):
                self._ask(address, report, at)
            elif len(self._live.online) < MOST_DEVICES or address.device in self._live.online:
                _HANDLERS[type(report)](self, address, report, at)

    def _info(self, address: Address, info: Info, at: int) -> None:
        self._live.info[address.device] = msgspec.to_builtins(info)
        if info.log is not None and address.device in self._live.network.nodes:
            self._ledger.told(address.device, int(info.log, 16), info.cursor or 0)

    def _reply(self, address: Address, reply: Reply, at: int) -> None:
        if reply.gone and reply.log is not None and address.device in self._live.network.nodes:
            lost = self._ledger.lose(address.device, int(reply.log, 16), reply.gone, GONE)
            self._metrics.count("lost", lost, reason=GONE)

    def _state(self, address: Address, state: State, at: int) -> None:
        if address.device in self._live.network.actuators:
            self._actuate.heard(address.device, state, at)
            self._status(address, Status(True), at)

    def _ask(self, address: Address, ask: Ask, at: int) -> None:
        if self._asked is not None:
            self._asked(address.device, ask, at)

    def _status(self, address: Address, status: Status, at: int) -> None:
        self._live.online[address.device] = status.online
        if address.device in self._live.network.actuators:
            acting = self._live.acting.get(address.device, Acting())
            self._live.acting[address.device] = replace(acting, online=status.online)


_HANDLERS: Mapping[type[Any], Callable[[Hear, Address, Any, int], None]] = {
    Info: Hear._info,
    Reply: Hear._reply,
    State: Hear._state,
    Status: Hear._status,
}
