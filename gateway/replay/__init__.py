"""Replay: an exchange table through a real broker, as its nodes would have sent it."""

from gateway.replay.cut import Batch, Cut, ReplayError, Spool, cut
from gateway.replay.outcome import Asked, Outcome, Quiet, outcome
from gateway.replay.play import Player

__all__ = ["Asked", "Batch", "Cut", "Outcome", "Player", "Quiet", "ReplayError", "Spool", "cut", "outcome"]
