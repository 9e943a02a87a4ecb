"""What the journal takes and gives, and how it fails."""

from dataclasses import dataclass

from edge.problem import Problem


class JournalError(Problem):
    """The journal can't do what was asked; its text says what stands where."""


class JournalFull(JournalError):
    """The disk is full (or fails): nothing was committed, so nothing may be acknowledged."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A block to append: `first` and `last` [ns] bound the sample times that it touches (None: none), and
    `hours` (since 1970) are those whose archive file it changes."""

    kind: str
    body: bytes
    header: bytes = b""
    first: int | None = None
    last: int | None = None
    hours: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A stored block; `at` [ns UTC] is its commit's; `body` is None once archived and released."""

    id: int
    kind: str
    at: int
    header: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message of a node that isn't in the network files, kept as it came."""

    node: str
    topic: str
    payload: bytes
