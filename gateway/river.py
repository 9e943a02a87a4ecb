"""The river: a block of messages through the tuple of stages, one direction, one place for each thing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import structlog

from edge.check import Test
from edge.decision import Decision
from edge.forecast import Forecasts
from edge.readings import Readings, concat
from edge.report import Report
from edge.wire import Address, Letter
from gateway.block import JournalError, Waiting
from gateway.metrics import Metrics
from gateway.receive import Message

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Block:
    """What flows: the messages as they came, and what each stage has made of them so far.

    `readings` holds new batches only; `doubles` the first rows of batches that were stored already; `then` is
    run after the commit, in order, and not at all where it fails; `owed` names stored rows, by node and time
    [ns], that the block's rows have put in another light; `asked` names the nodes to look ahead for.
    """

    messages: tuple[Message, ...] = ()
    at: int = 0
    readings: Readings = field(default_factory=Readings.empty)
    doubles: Readings = field(default_factory=Readings.empty)
    reports: tuple[tuple[Address, Report], ...] = ()
    letters: tuple[Letter, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    then: tuple[Callable[[], None], ...] = ()
    owed: tuple[tuple[str, int], ...] = ()
    asked: tuple[str, ...] = ()
    forecasts: Forecasts | None = None
    decisions: tuple[Decision, ...] = ()

    def after(self, *steps: Callable[[], None]) -> tuple[Callable[[], None], ...]:
        """The steps to run after the commit, with these behind them."""
        return (*self.then, *steps)


Stage = Callable[[Block], Block]


class Failed(Exception):
    """A stage that can't be skipped failed on a block; nothing of it was committed."""


class River:
    """The stages in their order; `alarm(stage, error)` is told of each failure."""

    def __init__(
        self, stages: Sequence[tuple[str, Stage]], metrics: Metrics, alarm: Callable[[str, str], None]
    ) -> None:
        self.stages = tuple(stages)
        self._metrics = metrics
        self._alarm = alarm

    def flow(self, block: Block) -> Block:
        """The block after all stages; raises `JournalError` where nothing of it was stored: try it again."""
        for name, stage in self.stages:
            block = self._through(name, stage, block)
        return block

    def _through(self, name: str, stage: Stage, block: Block) -> Block:
        try:
            return stage(block)
        except JournalError:
            raise
        except Exception as error:
            log.exception("stage failed", stage=name)
            self._metrics.count("stage_failures", stage=name)
            self._alarm(name, repr(error))
            return _RESCUE.get(name, _unchanged)(stage, block, error)


def _unchanged(_: Stage, block: Block, __: Exception) -> Block:
    return block


def _unjudged(_: Stage, block: Block, __: Exception) -> Block:
    """The block as it was, its samples marked as not evaluated because a stage failed."""
    marked = {
        name: replace(column, tests=column.tests | np.uint32(Test.STAGE_FAILED))
        for name, column in block.readings.columns.items()
    }
    return replace(block, readings=block.readings.with_columns(marked))


def _piecewise(stage: Stage, block: Block, error: Exception) -> Block:
    """Decode message by message; the one that fails becomes a letter, the others go on."""
    if len(block.messages) <= 1:
        letters = tuple(Letter(m.topic, m.payload, f"internal error: {error!r}") for m in block.messages)
        return replace(block, letters=letters)
    middle = len(block.messages) // 2
    halves = [replace(block, messages=part) for part in (block.messages[:middle], block.messages[middle:])]
    return merged(block, [_attempt(stage, half) for half in halves])


def _attempt(stage: Stage, block: Block) -> Block:
    try:
        return stage(block)
    except Exception as error:
        return _piecewise(stage, block, error)


def merged(block: Block, parts: Sequence[Block]) -> Block:
    """One block of what was decoded in parts."""
    return replace(
        block,
        readings=concat([part.readings for part in parts]),
        reports=tuple(one for part in parts for one in part.reports),
        letters=tuple(one for part in parts for one in part.letters),
        waiting=tuple(one for part in parts for one in part.waiting),
    )


def _blocked(_: Stage, __: Block, error: Exception) -> Block:
    raise Failed(repr(error)) from error


_RESCUE: dict[str, Callable[[Stage, Block, Exception], Block]] = {
    "decode": _piecewise,
    "deduplicate": _blocked,
    "check": _unjudged,
    "calibrate": _unjudged,
    "journal": _blocked,
}
