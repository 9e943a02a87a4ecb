"""Mass balance of well-mixed zones that exchange air, solved exactly for any step."""

from dataclasses import dataclass

import numpy as np

from gateway.world.air import Floats


@dataclass(frozen=True, slots=True)
class Modes:
    """The modes of an exchange: `root` (…, n) of capacity, `rates` (…, n) [1/h] ≤ 0, `basis` (…, n, n)."""

    root: Floats
    rates: Floats
    basis: Floats

    def advance(self, state: Floats, source: Floats, hours: float) -> tuple[Floats, Floats]:
        """State (…, n) after `hours` of constant `source` (…, n) [amount/h], and its mean over them."""
        grown, held = _responses(self.rates * hours)
        begun, fed = self._modal(state * self.root), self._modal(source / self.root) * hours
        end = np.exp(self.rates * hours) * begun + grown * fed
        return self._zones(end), self._zones(grown * begun + held * fed)

    def steady(self, source: Floats) -> Floats:
        """Where it ends under `source` for ever; every mode must decay."""
        return self._zones(-self._modal(source / self.root) / self.rates)

    def _modal(self, scaled: Floats) -> Floats:
        result: Floats = np.einsum("...ji,...j->...i", self.basis, scaled)
        return result

    def _zones(self, modal: Floats) -> Floats:
        result: Floats = np.einsum("...ij,...j->...i", self.basis, modal) / self.root
        return result


def modes(capacity: Floats, exchange: Floats, loss: Floats) -> Modes:
    """Diagonalise capacity·dC/dt = Σ exchange·(Cj − Ci) − loss·C + source.

    `capacity` (…, n) [m³], `exchange` (…, n, n) symmetric with a zero diagonal [m³/h] (what flows in flows
    out), `loss` (…, n) [m³/h]. Scaled by the root of capacity the matrix is symmetric, so that its modes are
    real, none grows, and any step is exact.
    """
    root = np.sqrt(np.broadcast_to(capacity, loss.shape))
    out = exchange.sum(axis=-1) + loss
    matrix = exchange - out[..., None] * np.eye(loss.shape[-1])
    rates, basis = np.linalg.eigh(matrix / (root[..., None] * root[..., None, :]))
    return Modes(root, np.minimum(rates, 0.0), basis)


def _responses(x: Floats) -> tuple[Floats, Floats]:
    """(eˣ−1)/x and (eˣ−1−x)/x² for x ≤ 0, by their series near 0."""
    near = x > -1e-3
    safe = np.where(near, -1.0, x)
    first = np.where(near, 1 + x / 2 + x * x / 6, np.expm1(safe) / safe)
    second = np.where(near, 0.5 + x / 6 + x * x / 24, (np.expm1(safe) - safe) / safe**2)
    return first, second
