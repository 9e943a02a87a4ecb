"""The compact model: scaled inputs, one hidden layer, a head for each horizon and purpose, all in integers.

`docs/model.md` tells its bytes; `edge.predict.infer` and `firmware/lib/predict.py` compute with them, bit for
bit the same.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

from edge.problem import Problem

MAGIC = b"GNG1"
MOST_BYTES = 8192
MOST_TERMS = 64
TREE_BYTES = 37
FINE = 4
"""Bits that a value has more than the cells of its column."""

ROOM_HORIZONS = (600, 1800, 3600)
"""How far ahead a room is forecast [s]."""


class ModelError(Problem):
    """A model file that can't be used, and why."""


class Kind(IntEnum):
    """What a term says: a column's mean, how far a past mean lies from its newest one, or from the target's,
    the target at one hour of the last days, the clock, a column's mean times the target."""

    LEVEL = 0
    DELTA = 1
    GAP = 2
    DAILY = 3
    CLOCK = 4
    TIMES = 5


class Role(IntEnum):
    """What a head says: the value, how far it may miss, whether the limit will be passed from below it."""

    VALUE = 0
    SPREAD = 1
    ONSET = 2


class Form(IntEnum):
    """What a value head's output is: the level itself, its change from now, its square root."""

    LEVEL = 0
    CHANGE = 1
    ROOT = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A series that terms read, by name; its cells are whole multiples of 2**-`bits` of its unit."""

    name: str
    bits: int


@dataclass(frozen=True, slots=True)
class Term:
    """One input: what it says of `column` in units of time before now, [first, past), and how it is scaled:
    z = (x − mean) · factor >> shift, of which 256 is one standard deviation."""

    kind: int
    column: int
    first: int
    past: int
    mean: int = 0
    factor: int = 0
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """An output: `bias` + weights · (hidden units, inputs, values ahead), each empty or whole, >> `shift`.

    Of a VALUE, `marks` are the two levels that part its three intervals, and `ends` their lower and upper
    ends in 1/1024 of its spread; of a SPREAD, the least; of an ONSET (logit, 256 is one) the working
    threshold. `trees` add to it: each seven questions (input, is it above) and eight leaves,
    >> `leaf_shift`."""

    role: int
    horizon_s: int
    form: int = Form.CHANGE
    shift: int = 0
    bias: int = 0
    marks: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    inputs: tuple[int, ...] = ()
    values: tuple[int, ...] = ()
    trees: bytes = b""
    leaf_shift: int = 0


@dataclass(frozen=True)
class Model:
    """A predictor of `columns[0]`, the same for every place: a cell is `unit_s` [s], now is the last `now` of
    them; `weights` (int8, units × inputs) and `biases` of the hidden layer; `limit`, `most` and `near` in
    2**-(bits + 4) of the unit: what onset means, the highest value said, and, without a SPREAD head, what is
    added to the value to be its spread; `factor` and `shift` scale values ahead, less the limit."""

    columns: tuple[Column, ...]
    heads: tuple[Head, ...]
    terms: tuple[Term, ...] = ()
    unit_s: int = 60
    now: int = 2
    weights: bytes = b""
    biases: tuple[int, ...] = ()
    limit: int = 0
    most: int = 1 << 30
    near: int = 0
    factor: int = 0
    shift: int = 0

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """16 hex digits that name the model by its content."""
        return hashlib.sha256(self.encode()).hexdigest()[:16]

    @property
    def quantity(self) -> str:
        """What it forecasts."""
        return self.columns[0].name

    @cached_property
    def values(self) -> tuple[Head, ...]:
        """Its value heads."""
        return tuple(head for head in self.heads if head.role == Role.VALUE)

    @cached_property
    def horizons(self) -> tuple[int, ...]:
        """How far ahead it looks [s]."""
        return tuple(head.horizon_s for head in self.values)

    @cached_property
    def installed(self) -> tuple[int, ...]:
        """The horizons [s] where it is more than persistence."""
        return tuple(head.horizon_s for head in self.values if head.hidden or head.inputs or head.trees)

    @property
    def grain(self) -> float:
        """The step of values [unit]."""
        return 2.0 ** -(self.columns[0].bits + FINE)

    @property
    def depth(self) -> int:
        """How many cells of the past its terms see."""
        day = 86400 // self.unit_s
        reach = (t.past * day + 1 if t.kind == Kind.DAILY else t.past for t in self.terms)
        return max((self.now, *reach))

    def encode(self) -> bytes:
        """The model as bytes, the same for the same model."""
        body = b"".join(self._parts())
        return body + struct.pack("<I", zlib.crc32(body))

    def _parts(self) -> Iterator[bytes]:
        sizes = (len(self.columns), len(self.terms), len(self.biases), len(self.heads))
        yield MAGIC + struct.pack(_FIXED, self.unit_s, self.now, *sizes, *(getattr(self, n) for n in _OWN))
        for column in self.columns:
            name = column.name.encode()
            yield struct.pack("<Bb", len(name), column.bits) + name
        for term in self.terms:
            scale = (term.mean, term.factor, term.shift)
            yield struct.pack(_TERM, term.kind, term.column, term.first, term.past, *scale)
        yield self.weights + struct.pack(f"<{len(self.biases)}i", *self.biases)
        for head in self.heads:
            parts = (head.hidden, head.inputs, head.values)
            which = sum(bool(part) << place for place, part in enumerate(parts))
            numbers = [weight for part in parts for weight in part]
            yield struct.pack(_HEAD, head.role, head.form, head.horizon_s, head.shift, which, head.bias)
            yield struct.pack(f"<BB{len(head.marks)}i", len(head.marks), len(head.ends), *head.marks)
            yield struct.pack(f"<{len(head.ends) + len(numbers)}h", *head.ends, *numbers)
            yield struct.pack("<BB", len(head.trees) // TREE_BYTES, head.leaf_shift) + head.trees

    @classmethod
    def decode(cls, data: bytes) -> "Model":
        """The model that `encode` wrote; raises ModelError for anything else."""
        try:
            model = _Reader(data).model()
            model.verify()
            if model.encode() != data:
                raise ValueError("it says something twice")
        except (ValueError, IndexError, struct.error, OverflowError) as error:
            raise ModelError(f"not a model: {error}", advice="make one with `gongi train`") from error
        return model

    def verify(self) -> None:
        """Raises ValueError where it couldn't serve."""
        if not self.values or not self.columns or not self.unit_s or not self.now:
            raise ValueError("no horizon, no column, or no unit of time")
        if len(self.terms) > MOST_TERMS or len(self.weights) != len(self.biases) * len(self.terms):
            raise ValueError("more inputs than it may have, or weights of another size")
        if any(not -8 <= column.bits <= 16 for column in self.columns):
            raise ValueError("a column finer or coarser than integers carry")
        if any(term.column >= len(self.columns) or term.kind not in tuple(Kind) for term in self.terms):
            raise ValueError("an input of an unknown column or kind")
        for head in self.heads:
            self._verify(head)
        self._bounded()

    def _verify(self, head: Head) -> None:
        if (len(head.marks), len(head.ends)) != _SAID.get(head.role) or head.form not in tuple(Form):
            raise ValueError("a head of an unknown role or form")
        if head.role == Role.VALUE and head.values:
            raise ValueError("a value can't rest on values")
        if head.role != Role.VALUE and head.horizon_s not in self.horizons:
            raise ValueError("a head without its value")
        whole, rest = divmod(len(head.trees), TREE_BYTES)
        asked = (head.trees[TREE_BYTES * tree : TREE_BYTES * tree + 7] for tree in range(whole))
        if rest or any(max(one) >= len(self.terms) for one in asked):
            raise ValueError("a tree that asks for an unknown input")
        sizes = (len(self.biases), len(self.terms), len(self.values))
        parts = (head.hidden, head.inputs, head.values)
        if any(part and len(part) != size for part, size in zip(parts, sizes, strict=True)):
            raise ValueError("weights of another size")

    def _bounded(self) -> None:
        # Sums below 2**24 are exact in single precision, in whatever order they are added.
        size = len(self.terms)
        for unit, bias in enumerate(self.biases):
            row = self.weights[unit * size : (unit + 1) * size]
            if sum(min(w, 256 - w) for w in row) * _REACH + abs(bias) >= 1 << 24:
                raise ValueError("a hidden unit that may overflow")


_REACH = 2047
_FIXED = "<IBBBBBiiihB"
_OWN = ("limit", "most", "near", "factor", "shift")
_TERM = "<BBBBihB"
_HEAD = "<BBIBBi"
_SAID: dict[int, tuple[int, int]] = {Role.VALUE: (2, 6), Role.SPREAD: (1, 0), Role.ONSET: (1, 0)}


class _Reader:
    """Takes a model's bytes apart, in order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data[:-4], 4
        if data[:4] != MAGIC or len(data) > MOST_BYTES:
            raise ValueError("its first bytes are another file's, or it is too large")
        if zlib.crc32(self._data) != int.from_bytes(data[-4:], "little"):
            raise ValueError("its checksum is wrong")

    def model(self) -> Model:
        unit_s, now, columns, terms, hidden, heads, *own = self._take(_FIXED)
        model = Model(
            columns=tuple(self._column() for _ in range(columns)),
            terms=tuple(Term(*self._take(_TERM)) for _ in range(terms)),
            heads=(),
            unit_s=unit_s,
            now=now,
            weights=self._bytes(hidden * terms),
            biases=self._take(f"<{hidden}i"),
            **dict(zip(_OWN, own, strict=True)),
        )
        values = 0
        found = []
        for _ in range(heads):
            found.append(self._head(hidden, terms, values))
            values += found[-1].role == Role.VALUE
        return replace(model, heads=tuple(found))

    def _head(self, *sizes: int) -> Head:
        role, form, horizon_s, shift, which, bias = self._take(_HEAD)
        marks, ends = self._take("<BB")
        said = (self._take(f"<{marks}i"), self._take(f"<{ends}h"))
        held = [size if which >> place & 1 else 0 for place, size in enumerate(sizes)]
        hidden, inputs, values = (self._take(f"<{size}h") for size in held)
        trees, leaf_shift = self._take("<BB")
        found = self._bytes(trees * TREE_BYTES)
        return Head(role, horizon_s, form, shift, bias, *said, hidden, inputs, values, found, leaf_shift)

    def _column(self) -> Column:
        size, bits = self._take("<Bb")
        return Column(self._bytes(size).decode(), bits)

    def _take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def _bytes(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


def persistence(
    quantity: str = "pm25", spreads: tuple[tuple[int, float, float], ...] = (), near: float = 5.0
) -> Model:
    """The model that it stays as it is; `spreads`: (horizon [s], lower, upper end by near + value)."""
    bits = 4
    heads = []
    for horizon, lower, upper in spreads or _PRIOR:
        ends = (round(lower * 1024), round(upper * 1024)) * 3
        heads.append(Head(Role.VALUE, horizon, marks=(0, 0), ends=ends))
    return Model((Column(quantity, bits),), tuple(heads), near=round(near * 2 ** (bits + FINE)))


_PRIOR = ((600, -0.25, 0.30), (1800, -0.40, 0.60), (3600, -0.50, 0.90))
PERSISTENCE = persistence()
"""What is used until a model was trained. Its intervals are a prior, not measured in the room."""
