"""Joining one of up to four Wi-Fi networks; the radio is the board's, or a test's."""

import asyncio

from lib.seldom import call
from micropython import const

MOST = 4
_JOIN_MS = const(20000)
_POLL_MS = const(200)
# Rounds through all brokers without a connection, and the next network has its turn.
_ROUNDS = const(2)
_STUCK = const(8)
# The radio's numbers for why it isn't connected; what isn't here is still under way.
WHY = {
    200: "signal lost",
    201: "not there",
    202: "wrong password",
    203: "refused by the access point",
    204: "wrong password",
    210: "not there with this kind of password",
    211: "not there with this kind of password",
    212: "signal too weak",
}
# Kinds of security that want a person's name: 802.1X.
_ENTERPRISE = const((5, 10, 14, 15))


class NoWifi(OSError):
    """No network could be joined; the argument says why, network by network."""


class Network:
    """One entry of `wifi`: [name, password], or {"ssid", "password", "hidden", "address"}; `address` is
    [address, mask, gateway, name server]."""

    def __init__(self, entry: object) -> None:
        if not isinstance(entry, dict):
            entry = {"ssid": entry[0], "password": entry[1]}
        self.name = entry["ssid"]
        self.password = entry.get("password")
        self.hidden = entry.get("hidden", False)
        self.address = entry.get("address")
        self.why = ""


class Wifi:
    """The networks in their order; `join` before every connection, `failed` after rounds without one."""

    def __init__(self, radio: object, entries: list, probe: list | None = None) -> None:
        self.radio = radio
        self.networks = [Network(entry) for entry in entries[:MOST]]
        self.probe = probe
        self.at: Network | None = None  # the network that it is in
        self.next = 0
        self._rounds = 0
        self._lost = 0

    @property
    def trouble(self) -> str:
        """Why it isn't where it wants to be: network and cause; "" when it is."""
        return "; ".join("%s: %s" % (one.name, one.why) for one in self.networks if one.why)

    def told(self) -> tuple:
        """Return what `info` says of it: the network it is in, and why it isn't in another."""
        return (("ssid", self.at.name if self.at else None), ("trouble", self.trouble))

    def gated(self) -> bool:
        """Whether a network is there and wants what a device doesn't have."""
        return any(one.why.startswith(("captive", "802.1X")) for one in self.networks)

    async def join(self) -> None:
        """Be in a network: the one it is in, else the first that takes it; raise NoWifi."""
        if self.at and self.radio.isconnected():
            return
        self.at = None
        order = self.networks[self.next :] + self.networks[: self.next]
        self.next = 0
        for network in order:
            if await self._enter(network):
                return
        self._look()
        self._lost += 1
        if not self._lost % _STUCK:  # a radio that has got stuck begins anew
            self.radio.active(False)
        raise NoWifi(self.trouble)

    async def failed(self, failures: int) -> None:
        """Hear that no broker answered in so many rounds: is it a page, and is another network better?"""
        if not self.at or not self.radio.isconnected():
            return
        page = await call("lib.portal", "ask", self.probe)
        if page:
            self.at.why = page
        self._rounds += 1
        if len(self.networks) > 1 and (page or self._rounds >= _ROUNDS):
            self.next = (self.networks.index(self.at) + 1) % len(self.networks)
            self.at = None
            self.radio.disconnect()
            self._rounds = 0

    def arrived(self) -> None:
        """Hear that a broker was reached over this network."""
        self._rounds = 0
        if self.at:
            self.at.why = ""

    async def _enter(self, network: Network) -> bool:
        self.radio.active(True)
        self.radio.ifconfig(tuple(network.address) if network.address else "dhcp")
        self.radio.connect(network.name, network.password)
        waited = 0
        while waited < _JOIN_MS:
            await asyncio.sleep_ms(_POLL_MS)
            waited += _POLL_MS
            if self.radio.isconnected():
                network.why = network.why if network.why.startswith("captive") else ""
                self.at = network
                return True
            if self.radio.status() in WHY:
                break
        network.why = WHY.get(self.radio.status(), "no answer")
        self.radio.disconnect()
        return False

    def _look(self) -> None:
        """Name what a look around explains better than the radio's number."""
        try:
            seen = {bytes(one[0]).decode(): one[4] for one in self.radio.scan()}
        except (OSError, UnicodeError):
            return
        for network in self.networks:
            if seen.get(network.name) in _ENTERPRISE:
                network.why = "802.1X, which this device can't do"
            elif network.name not in seen and network.hidden:
                network.why = "hidden: not there, or its name or password is wrong"
