"""Replay: an exchange table through a real broker, as its nodes would have sent it."""

from gateway.replay.cut import Batch, Cut, ReplayError, Spool, cut
from gateway.replay.outcome import Outcome, outcome
from gateway.replay.play import Player

__all__ = ["Batch", "Cut", "Outcome", "Player", "ReplayError", "Spool", "cut", "outcome"]
