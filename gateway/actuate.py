"""Commands to actuators: sent, acknowledged, repeated, renewed, and an alarm where nobody answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from edge.command import Command, Delivery, Due, command_id, due
from edge.decision import REASONS, Decision, Policy
from edge.dialect import Said
from edge.network import Actuator
from edge.pace import Running, reported
from edge.readings import SECOND
from edge.report import State
from gateway.block import Draft
from gateway.foreign import Foreign
from gateway.journal import Journal
from gateway.live import Acting, Live, Override
from gateway.metrics import Metrics
from gateway.present import Alarms
from gateway.words import words

Publish = Callable[[str, bytes], bool]
"""Sends a payload to a topic at QoS 0; False where there is no connection."""


class Actuate:
    """What each actuator was told last, what it says that it does, and what is due next."""

    def __init__(
        self,
        live: Live,
        journal: Journal,
        policy: Policy,
        publish: Publish,
        alarms: Alarms,
        metrics: Metrics,
        term: int,
        foreign: Foreign,
    ) -> None:
        self._live, self._journal, self._policy, self._foreign = live, journal, policy, foreign
        self._publish, self._alarms, self._metrics = publish, alarms, metrics
        self._term, self._counter = term, 0
        self._deliveries: dict[str, Delivery] = {}
        self._running: dict[str, Running] = {}
        self._said: dict[str, tuple[int | None, str]] = {}
        self._decided: dict[str, int] = {}

    def running(self, actuator: str) -> Running:
        """What the actuator last reported."""
        return self._running.get(actuator, Running())

    def expected(self, actuator: str) -> Running:
        """The same, but a command on its way counts as obeyed, and a person's level as set by hand: who
        decides meanwhile must not take it back."""
        running, delivery = self.running(actuator), self._deliveries.get(actuator)
        if asked := self._live.overrides.get(actuator):
            return replace(running, level=asked.level, cause="button", changed=self._live.now)
        if delivery is None or not delivery.sends or delivery.acknowledged or delivery.alarmed:
            return running
        return reported(running, delivery.command.level, "command", delivery.command.issued * SECOND)

    def take(self, decisions: Sequence[Decision], drafts: Sequence[Draft], names: bytes, now: int) -> None:
        """Commit what was decided, with the forecasts it rests on (`drafts`) and the `names` of model, policy
        and network files, then send the commands that follow; what a person overrides is left out."""
        free = [one for one in decisions if one.actuator not in self._live.overrides]
        self._follow(free, drafts, names, now)
        self.tick(now)

    def _follow(self, decisions: Sequence[Decision], drafts: Sequence[Draft], names: bytes, now: int) -> None:
        news = [one for one in decisions if self._said.get(one.actuator) != (one.level, one.key)]
        commands = [(one, made) for one in decisions if (made := self._command(one, now))]
        rows = [_Decided(now, one) for one in news]
        body = [Draft("decision", msgspec.json.encode(rows), names)] if rows else []
        self._order({one.actuator: made for one, made in commands}, [*drafts, *body], now)
        for one in news:
            self._said[one.actuator] = (one.level, one.key)
        for one in decisions:
            self._decided[one.actuator] = now

    def heard(self, actuator: str, state: State, now: int) -> None:
        """Take in an actuator's state message."""
        state = self._named(actuator, state, now)
        if state.cause == "button" and self._pressed(actuator, state.level):
            del self._live.overrides[actuator]  # who stands at the device has the last word
        self._running[actuator] = reported(self.running(actuator), state.level, state.cause, now)
        delivery = self._deliveries.get(actuator)
        if delivery is not None:
            after = delivery.heard(state.id)
            self._metrics.count("acknowledgements", after.acknowledged and not delivery.acknowledged)
            self._deliveries[actuator] = after
            if after.acknowledged:
                self._alarms.cleared("unacknowledged", actuator)
        acting = self._live.acting.get(actuator, Acting())
        heard = replace(acting, level=state.level, cause=state.cause, state_at=now)
        heard = replace(heard, filter_h=state.filter_h)
        if state.power is not None:
            heard = replace(heard, power=state.power, power_at=now)
        self._show(actuator, heard)

    def tick(self, now: int) -> None:
        """Send what persons ask for; repeat, renew and give up as due."""
        self._follow(
            [_asked(one) for one in self._live.overrides.values() if self._fits(one, now)], (), b"", now
        )
        steps = [(name, due(one, now // SECOND, *self._pace)) for name, one in self._deliveries.items()]
        self._order({name: self._renewed(name, now) for name, what in steps if what is Due.REFRESH}, [], now)
        for name, what in steps:
            if actuator := self._live.network.actuators.get(name):
                _STEPS[what](self, actuator, now)

    @property
    def _pace(self) -> tuple[int, int]:
        return self._policy.repeat_s, self._policy.repeats

    def _order(self, commands: Mapping[str, Command | None], drafts: Sequence[Draft], now: int) -> None:
        """Commit new commands, in one transaction with `drafts`, and let them replace the last ones."""
        made = {name: command for name, command in commands.items() if command is not None}
        rows = [_Ordered(now, name, command) for name, command in made.items()]
        drafts = [*drafts, *([Draft("command", msgspec.json.encode(rows))] if rows else [])]
        if drafts:
            self._journal.commit(now, drafts)
        for name, command in made.items():
            last = self._deliveries.get(name)
            self._deliveries[name] = Delivery(command, alarmed=bool(last and last.alarmed))

    # -- one actuator -----------------------------------------------------------------------------------

    def _command(self, decision: Decision, now: int) -> Command | None:
        """The new command that a decision asks for; None where the last one says the same or none is due."""
        if decision.level is None:
            self._deliveries.pop(decision.actuator, None)
            return None
        delivery = self._deliveries.get(decision.actuator)
        if delivery is not None and delivery.command.level == decision.level:
            return None
        return self._new(decision.level, decision.reason, in_korean(decision), now)

    def _new(self, level: int, reason: str, ko: str, now: int) -> Command:
        self._counter += 1
        number = command_id(self._term, self._counter)
        return Command(number, now // SECOND, self._policy.ttl_s, level, reason, ko)

    def _renewed(self, name: str, now: int) -> Command | None:
        """The same said anew; None, so that it expires, where nobody has decided for long (stale data)."""
        delivery = self._deliveries[name]
        if now - self._decided.get(name, 0) > self._policy.ttl_s * SECOND:
            return None
        last = delivery.command
        return self._new(last.level, last.reason, last.ko, now)

    def _fits(self, asked: Override, now: int) -> bool:
        """Whether its time isn't over and changed network files still have its level."""
        actuator = self._live.network.actuators.get(asked.actuator)
        return actuator is not None and asked.level < len(actuator.levels) and now < asked.until

    def _pressed(self, actuator: str, level: int) -> bool:
        """Whether a state tells that its button was pressed during an override, and not long before."""
        asked, before = self._live.overrides.get(actuator), self.running(actuator).level
        return asked is not None and before is not None and level not in (before, asked.level)

    def _nothing(self, actuator: Actuator, now: int) -> None:
        pass

    def _named(self, actuator: str, state: State, now: int) -> State:
        """A state with its cause and command; a device of another dialect names neither."""
        if self._live.network.actuators[actuator].dialect == "gongi":
            return state
        delivery = self._deliveries.get(actuator)
        if delivery is None or not delivery.sends:
            return state
        if state.level == delivery.command.level:
            return msgspec.structs.replace(state, cause="command", id=delivery.command.id)
        over = now // SECOND >= delivery.command.issued + delivery.command.ttl
        cause = "expired" if over else "button" if delivery.acknowledged else ""
        return msgspec.structs.replace(state, cause=cause)

    def _messages(self, actuator: Actuator) -> Sequence[Said]:
        command = self._deliveries[actuator.id].command
        if actuator.dialect != "gongi":
            return self._foreign.say(actuator, command.level, command.ttl)
        return (Said(f"{self._live.network.root}/{actuator.site}/{actuator.id}/set", command.encode()),)

    def _send(self, actuator: Actuator, now: int) -> None:
        delivery, messages = self._deliveries[actuator.id], self._messages(actuator)
        sent = [self._publish(one.topic, one.payload) for one in messages]
        if sent and all(sent):
            self._metrics.count("commands", how="repeat" if delivery.sends else "send")
            self._deliveries[actuator.id] = delivery.sent(now // SECOND)
            acting = self._live.acting.get(actuator.id, Acting())
            command = delivery.command
            told = replace(acting, told=command.level, reason=command.reason, command=command.id, told_at=now)
            self._show(actuator.id, told)

    def _refresh(self, actuator: Actuator, now: int) -> None:
        if self._deliveries[actuator.id].sends:
            del self._deliveries[actuator.id]
        else:
            self._send(actuator, now)

    def _alarm(self, actuator: Actuator, now: int) -> None:
        delivery = self._deliveries[actuator.id]
        self._metrics.count("unacknowledged")
        self._alarms.raised("unacknowledged", actuator.id, actuator.site, command=delivery.command.id)
        self._deliveries[actuator.id] = replace(delivery, alarmed=True)

    def _show(self, actuator: str, acting: Acting) -> None:
        delivery = self._deliveries.get(actuator)
        acknowledged = delivery is not None and delivery.acknowledged
        self._live.acting[actuator] = replace(acting, acknowledged=acknowledged)


_STEPS: Mapping[Due, Callable[[Actuate, Actuator, int], None]] = {
    Due.NOTHING: Actuate._nothing,
    Due.SEND: Actuate._send,
    Due.REPEAT: Actuate._send,
    Due.ALARM: Actuate._alarm,
    Due.REFRESH: Actuate._refresh,
}


def _asked(override: Override) -> Decision:
    minutes = round((override.until - override.since) / (60 * SECOND))
    return Decision(override.actuator, override.level, "asked", {"minutes": minutes})


def in_korean(decision: Decision) -> str:
    """The reason in Korean."""
    details = {name: f"{value:g}" for name, value in decision.details.items()}
    return words("ko").gettext(REASONS[decision.key], **details)


@dataclass(frozen=True, slots=True)
class _Ordered:
    at: int
    actuator: str
    command: Command


@dataclass(frozen=True, slots=True)
class _Decided:
    at: int
    decision: Decision
