"""One device on its way through a renewal: what to send next, what its answers and reports mean. No I/O."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import msgspec

from edge.problem import Problem
from gateway.renewal.record import Member
from gateway.renewal.steps import RENEWALS, Said, Step

LANES = len(RENEWALS)
MOST_BYTES = 2048
"""A device's input buffer: topic and message together."""
LATER = frozenset({"trial"})
"""Words after which it is asked again later: another change, or an update, is on trial."""
BUSY_S = 5.0
"""So long after it was asked a device counts as starting anew."""
KEPT = ("info", "status", "state")
"""What the broker retains of a device."""


class TooLong(Problem):
    """A change doesn't fit a device's input buffer."""


class Sign(Protocol):
    """The HMAC (hex) of a device's change, by the device's key."""

    def __call__(self, device: str, turn: int, change: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How it is asked [s]: again after `first`, doubling up to `slowest`; a restart is asked for again after
    `settle`; a device takes a change back after `trial`, and has `grace` to say so."""

    first: float = 2.0
    slowest: float = 60.0
    settle: float = 60.0
    trial: float = 600.0
    grace: float = 120.0


class Course:
    """Moves a member through the steps; `send(topic end, payload, retain)` publishes to it. What brokers have
    retained counts from the turns of `begun` [UTC s] on. Renewals of several kinds may run at once: the turns
    of each leave the remainder `lane` of LANES, so that none takes another's proof for its own."""

    def __init__(
        self,
        member: Member,
        steps: tuple[Step, ...],
        root: str,
        sign: Sign,
        send: Callable[[str, bytes, bool], None],
        pace: Pace,
        begun: int = 0,
        lane: int = 0,
    ) -> None:
        self.member, self._steps, self._root = member, steps, root
        self._sign, self._send, self._pace, self._begun, self._lane = sign, send, pace, begun, lane
        self._said: Said | None = None
        self._live = self._here = False
        self._sites: set[str] = set()
        self._due = self._wait = 0.0
        self._sent = -inf
        self._trial_until: float | None = None
        self._term = self._counter = 0

    @property
    def trying(self) -> bool:
        """Whether it has a change on trial."""
        return self._trial_until is not None

    def busy(self, now: float) -> bool:
        """Whether it is starting anew, or about to: asked, or on trial."""
        return self.trying or now - self._sent < BUSY_S

    def away(self, now: float, patience: float) -> bool:
        """Whether it isn't there, nor starting anew for as long as `patience` [s]."""
        return not self.trying and not self._here and now - self._sent > patience

    # -- what it says ------------------------------------------------------------------------------------

    def hear(self, site: str, leaf: str, payload: bytes, now: float, utc: int, live: bool = True) -> None:
        """Take in what it has published at a site; `live`: just now, not kept by the broker."""
        if not payload:  # what was retained is cleared
            return
        self._here = self._is_here(leaf, payload, live)
        if live and self._here:
            self.member.heard = utc
        self._sites.add(site)
        if leaf in _HEARD:
            try:
                content = msgspec.json.decode(payload, type=dict[str, Any])
            except msgspec.DecodeError:
                return
            _HEARD[leaf](self, content, site, now, live)
        self._clear()

    def _is_here(self, leaf: str, payload: bytes, live: bool) -> bool:
        """Whether it is there: an old broker keeps `offline` of who is at the new one."""
        if leaf != "status":
            return live or self._here
        return payload == b"online" or (self._here and not live)

    def _info(self, content: Mapping[str, Any], site: str, now: float, live: bool) -> None:
        if self._live and not live:
            return
        self._said, self._live = Said.of(site, content), live
        said, member = self._said, self.member
        if said.turning is not None and said.turning == member.turn:
            self._try(now)
        elif said.turning is None and (live or said.turn >= self._begun):  # else it may be of an earlier time
            self._trial_until = None
            if said.turn == 0 < min(member.turn, member.done):  # it was flashed meanwhile
                member.done, member.asked = 0, -1
            if said.turned and said.turned[0] == member.turn and member.asked == member.done:
                member.word = f"given back: {said.turned[1]}"
            self._advance(said)
        if live and self._wait < self._pace.settle:  # a device that is here again needn't wait
            self._due, self._wait = now, self._pace.first

    def _advance(self, said: Said) -> None:
        """Count the furthest step that holds: it proves those before it."""
        member = self.member
        for n in reversed(range(member.done, len(self._steps))):
            step = self._steps[n]
            done = step.holds(said) if step.holds else (member.asked == n and said.turn == member.turn)
            if done:
                member.done, member.word, self._due, self._wait = n + 1, "", 0.0, 0.0
                return

    def _clear(self) -> None:
        """Remove what the broker keeps of it at old addresses, once it has spoken at the new one."""
        member, said = self.member, self._said
        if said is None or not any(step.clears for step in self._steps[: member.done]):
            return
        for site in self._sites - {said.site}:
            for leaf in KEPT:
                self._send(f"{site}/{member.id}/{leaf}", b"", True)
        self._sites = {said.site}
        member.site = said.site

    def _reply(self, content: Mapping[str, Any], site: str, now: float, live: bool) -> None:
        if content.get("op") != "reconfigure" or content.get("turn") != self.member.turn:
            return
        if content.get("trial"):
            self._try(now)
        elif "error" in content:
            self._refused(str(content["error"]), now)

    def _refused(self, word: str, now: float) -> None:
        member, said = self.member, self._said
        if word in LATER:
            self._due = now + self._pace.slowest / 2
        elif word != "older":
            member.word = word
        elif said is None or member.turn not in (said.turn, said.turning):
            member.asked, self._due = -1, now

    def _try(self, now: float) -> None:
        if self._trial_until is None:
            self._trial_until = now + self._pace.trial + self._pace.grace

    # -- what it is told ---------------------------------------------------------------------------------

    def tick(self, now: float, utc: int, upto: int, free: bool = True) -> bool:
        """Ask for what is due; True where something was sent. `free`: one more may start anew."""
        member = self.member
        if member.done >= upto or member.without or member.word:
            return False
        if self._trial_until is not None:
            if now > self._trial_until:
                self._trial_until, member.word = None, "silent since its trial"
            return False
        # Before its `info` is known, a turn might be one that it has already.
        if now < self._due or not free or not self._here or self._said is None:
            return False
        step = self._steps[member.done]
        if step.change is None:
            self._restart(utc)
            self._wait = max(2 * self._wait, self._pace.settle)
        else:
            self._ask(step.change, utc)
            self._wait = min(max(2 * self._wait, self._pace.first), self._pace.slowest)
        self._due, self._sent = now + self._wait, now
        return True

    def _restart(self, utc: int) -> None:
        self._command({"op": "reboot"}, utc)

    def _ask(self, change: Mapping[str, Any], utc: int) -> None:
        member = self.member
        if member.asked != member.done:
            member.turn, member.asked = self._next_turn(utc), member.done
        text = json.dumps(change, separators=(",", ":"), ensure_ascii=False)
        facts = {"op": "reconfigure", "turn": member.turn, "change": text}
        self._command(facts | {"mac": self._sign(member.id, member.turn, text)}, utc)

    def _next_turn(self, utc: int) -> int:
        """A turn above all that the device has ever said, in this renewal's lane."""
        said = self._said
        known = (said.turn, said.turning or 0, said.turned[0] if said.turned else 0) if said else ()
        least = max(utc, self.member.turn + 1, *(turn + 1 for turn in known))
        return least + (self._lane - least) % LANES

    def _command(self, facts: Mapping[str, Any], utc: int) -> None:
        self._term = self._term or utc
        self._counter += 1
        payload = msgspec.json.encode({**facts, "id": f"{self._term}-{self._counter}"})
        site = self._said.site if self._said else self.member.site
        end = f"{site}/{self.member.id}/cmd"
        size = len(f"{self._root}/{end}") + len(payload) + 2
        if size > MOST_BYTES:
            raise TooLong(
                f"a change of {size} bytes is too long for a device, which takes {MOST_BYTES}",
                advice="fewer or shorter names; authorities with ECDSA keys: gongi ca make",
            )
        self._send(end, payload, False)


_HEARD: Mapping[str, Callable[[Course, Mapping[str, Any], str, float, bool], None]] = {
    "reply": Course._reply,
    "info": Course._info,
}
