"""The demonstration: three virtual schools, real firmware, broker and gateway, watched as they run."""

from gateway.demo.outcome import Outcome, concluded, judged
from gateway.demo.running import Demo, Settings
from gateway.demo.view import line, picture, summary

__all__ = ["Demo", "Outcome", "Settings", "concluded", "judged", "line", "picture", "summary"]
