"""The compact model on the device: the gateway's bytes, the gateway's integers (docs/model.md).

Sums stay in 31 bits but for rare heads; a larger one is right too, only slower.
"""

import struct
from array import array
from binascii import crc32

LEVEL, DELTA, GAP, DAILY, CLOCK, TIMES = range(6)
VALUE, SPREAD, ONSET = range(3)
FINE = 4
TREE = 37
MISSING = -(1 << 30)


class Head:
    def __init__(self, role, form, horizon, shift, bias):
        self.role, self.form, self.horizon, self.shift, self.bias = role, form, horizon, shift, bias


class Predictor:
    """A model; `columns` are (name, bits), `terms` (kind, column, first, past, mean, factor, shift)."""

    def __init__(self, data):
        if data[:4] != b"GNG1" or crc32(data[:-4]) & 0xFFFFFFFF != struct.unpack("<I", data[-4:])[0]:
            raise ValueError("no model")
        at = 4 + struct.calcsize("<IBBBBBiiihB")
        said = struct.unpack_from("<IBBBBBiiihB", data, 4)
        self.unit_s, self.now, columns, terms, hidden, heads = said[:6]
        self.limit, self.most, self.near, self.factor, self.shift = said[6:]
        self.columns = []
        for _ in range(columns):
            size, bits = struct.unpack_from("<Bb", data, at)
            self.columns.append((bytes(data[at + 2 : at + 2 + size]).decode(), bits))
            at += 2 + size
        self.terms = [struct.unpack_from("<BBBBihB", data, at + 11 * n) for n in range(terms)]
        at += struct.calcsize("<BBBBihB") * terms
        self.weights = array("b", data[at : at + hidden * terms])
        at += hidden * terms
        self.biases = array("i", data[at : at + 4 * hidden])
        at += 4 * hidden
        self.heads, values = [], 0
        for _ in range(heads):
            head, at = self._head(data, at, (hidden, terms, values))
            self.heads.append(head)
            values += head.role == VALUE

    def _head(self, data, at, sizes):
        role, form, horizon, shift, which, bias = struct.unpack_from("<BBIBBi", data, at)
        head = Head(role, form, horizon, shift, bias)
        at += 12
        marks, ends = data[at], data[at + 1]
        at += 2
        head.marks = struct.unpack_from("<%di" % marks, data, at)
        at += 4 * marks
        head.ends = struct.unpack_from("<%dh" % ends, data, at)
        at += 2 * ends
        parts = []
        for place in range(3):
            size = 2 * sizes[place] if which >> place & 1 else 0
            parts.append(array("h", data[at : at + size]))
            at += size
        head.hidden, head.inputs, head.values = parts
        trees, head.leaf_shift = data[at], data[at + 1]
        at += 2
        # Not a copy: trees are most of a model, and memory is short.
        head.trees = memoryview(data)[at : at + TREE * trees]
        return head, at + TREE * trees

    def scaled(self, inputs):
        """Inputs (None: missing) as the network takes them, whole numbers in ±2047."""
        z = array("h", [0] * len(self.terms))
        for place, term in enumerate(self.terms):
            x = inputs[place]
            if x is not None:
                x = (x - term[4]) * term[5] >> term[6]
                z[place] = -2047 if x < -2047 else 2047 if x > 2047 else x
        return z

    def predict(self, z, last):
        """Of each horizon: (seconds, value, lower, upper, log odds of an onset or None, whether to warn), in
        2**-(bits + 4) of the unit; `last` is the newest level."""
        units = self._units(z)
        values = [self._value(head, units, z, last) for head in self.heads if head.role == VALUE]
        ahead = []
        for value in values:
            u = (value - self.limit) * self.factor >> self.shift
            ahead.append(-2047 if u < -2047 else 2047 if u > 2047 else u)
        found, place = [], 0
        for head in self.heads:
            if head.role == VALUE:
                value, spread, odds, warn = values[place], values[place] + self.near, None, False
                for other in self.heads:
                    if other.horizon == head.horizon and other.role == SPREAD:
                        spread = self._out(other, units, z, ahead)
                        spread = min(max(spread, other.marks[0]), 1 << 24)
                    elif other.horizon == head.horizon and other.role == ONSET:
                        odds = self._out(other, units, z, ahead)
                        warn = odds >= other.marks[0]
                end = 2 * ((value >= head.marks[0]) + (value >= head.marks[1]))
                lower = value + (head.ends[end] * spread >> 10)
                upper = value + (head.ends[end + 1] * spread >> 10)
                found.append((head.horizon, value, max(lower, 0), max(upper, 0), odds, warn))
                place += 1
        return found

    def _units(self, z):
        weights, at = self.weights, 0
        units = array("i", self.biases)
        for unit in range(len(units)):
            total = units[unit]
            for x in z:
                total += weights[at] * x
                at += 1
            units[unit] = total >> 8 if total > 0 else 0
        return units

    def _out(self, head, units, z, ahead):
        total = head.bias
        for weights, row in ((head.hidden, units), (head.inputs, z), (head.values, ahead)):
            for place, weight in enumerate(weights):
                total += weight * row[place]
        total >>= head.shift
        if head.trees:
            total += self._leaves(head, z)
        return total

    def _leaves(self, head, z):
        trees, total = head.trees, 0
        for at in range(0, len(trees), TREE):
            place = 0
            for _ in range(3):
                spot = at + 7 + 2 * place
                bound = trees[spot] | trees[spot + 1] << 8
                if bound > 32767:
                    bound -= 65536
                place = 2 * place + 1 + (z[trees[at + place]] > bound)
            spot = at + 7 + 2 * place  # after seven bounds: the leaves begin where an eighth would stand
            leaf = trees[spot] | trees[spot + 1] << 8
            total += leaf - 65536 if leaf > 32767 else leaf
        return total >> head.leaf_shift

    def _value(self, head, units, z, last):
        out = self._out(head, units, z, ())
        if head.form == 1:
            out += last
        elif head.form == 2:
            root = min(max(out, 0), 1 << 20)
            out = root * root >> 20 - self.columns[0][1] - FINE
        return min(max(out, 0), self.most)


class Past:
    """The last cells of each column of a model, newest first: multiples of 2**-bits, None or MISSING where
    missing; and the clock: minute of the local day, its kind (0 workday, 1 Saturday, 2 rest), 1440ths of the
    year; None of them where it is unknown."""

    def __init__(self, predictor, cells, clock):
        self.predictor, self.cells, self.clock = predictor, cells, clock

    def inputs(self):
        """The terms' values, None where missing."""
        return [self._input(term) for term in self.predictor.terms]

    def last(self):
        """The newest level of the target, None where unknown."""
        return self._mean(0, 0, self.predictor.now)

    def _mean(self, column, first, past):
        return _divided(*self._window(column, first, past))

    def _window(self, column, first, past):
        total = count = 0
        for value in self.cells[column][max(first, 0) : max(past, 0)]:
            if value is not None and value != MISSING:
                total += value
                count += 1
        return total, count

    def _input(self, term):
        kind, column, first, past = term[:4]
        if kind == CLOCK:
            return _clock(first, *self.clock) if self.clock else None
        if kind == DAILY:
            mean = self._daily(column, first, past)
        else:
            mean = self._mean(column, first, past)
        if kind == LEVEL or mean is None:
            return mean
        own, bits = kind in (DELTA, DAILY), self.predictor.columns
        other = self._mean(column if own else 0, 0, self.predictor.now)
        if other is None:
            return None
        if kind == TIMES:
            return mean * other >> bits[column][1] + FINE
        if kind == GAP:
            finer = bits[0][1] - bits[column][1]
            mean = mean << finer if finer >= 0 else mean >> -finer
        return mean - other

    def _daily(self, column, first, days):
        day, total, count = 86400 // self.predictor.unit_s, 0, 0
        for back in range(1, days + 1):
            one, known = self._window(column, back * day - first, back * day - first + 1)
            total += one
            count += known
        return _divided(total, count)


def sight(data):
    """What a model of these bytes looks at: its columns, a cell's seconds, how many cells it looks back."""
    predictor = Predictor(data)
    day = 86400 // predictor.unit_s
    depth = predictor.now
    for term in predictor.terms:
        depth = max(depth, term[3] * day + 1 if term[0] == DAILY else term[3])
    return predictor.columns, predictor.unit_s, depth


def ahead(data, cells, clock):
    """Of a model's bytes and what its terms look at: the target's name, how many bits its values have, and
    what `predict` says; None where the newest level is unknown."""
    predictor = Predictor(data)
    past = Past(predictor, cells, clock)
    last = past.last()
    if last is None:
        return None
    name, bits = predictor.columns[0]
    return name, bits + FINE, predictor.predict(predictor.scaled(past.inputs()), last)


def _divided(total, count):
    return (total << FINE) // count if count else None


def _clock(which, minute, day, season):
    if which in (4, 5):
        return 2048 if day == which - 3 else 0
    angle = season if which > 5 else minute * (1 + (which > 1))
    return wave(angle + 360 * (which & 1))


def wave(minute):
    """2048 times the sine of a place in the day, by Bhaskara's rational form."""
    half = minute % 720
    arch = half * (720 - half)
    height = 8192 * arch // (648000 - arch)
    return height if minute % 1440 < 720 else -height
