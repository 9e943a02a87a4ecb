"""Korea's four grades as the console names them; their bounds and the school's limits are `edge.index`'s."""

from dataclasses import dataclass

from gateway.console.answers import GradeId
from gateway.words import N_


@dataclass(frozen=True, slots=True)
class Grade:
    """One of the four grades, best first; `word` is its message in the catalogue."""

    id: GradeId
    word: str


GRADES = (
    Grade("good", N_("Good")),
    Grade("moderate", N_("Moderate")),
    Grade("unhealthy", N_("Unhealthy")),
    Grade("very_unhealthy", N_("Very unhealthy")),
)
"""In the order of `edge.index.korea.GRADES`."""
