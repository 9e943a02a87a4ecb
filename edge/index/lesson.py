"""Lessons outdoors: whether and for how long, from the outdoor grade now and the one that is coming."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from edge.index.korea import UNHEALTHY, rank


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a grade means for a lesson outdoors: `minutes` at most (None: as long as it lasts), those of
    pupils with asthma, heart or lung disease in `sensitive`, and the sentence."""

    minutes: int | None
    sensitive: int | None
    word: str


LESSONS = (
    Lesson(None, None, "Lessons can be held outdoors."),
    Lesson(
        None, 30, "Lessons can be held outdoors; pupils with asthma or heart disease rest after half an hour."
    ),
    Lesson(0, 0, "Hold lessons indoors."),
    Lesson(0, 0, "Hold lessons indoors and keep everybody inside."),
)
"""By Korea's grade. Outdoor lessons are restrained from "unhealthy" on (Ministry of Education, 2017-04); half
an hour for sensitive pupils follows USFK Regulation 40-6, the EPA's school chart names no minutes."""


@dataclass(frozen=True, slots=True)
class Outdoors:
    """The advice now: the grade's rank, its lesson, and for how many minutes it may be counted on: until the
    forecast passes into "unhealthy", None where it doesn't."""

    rank: int
    lesson: Lesson
    until: int | None

    @property
    def minutes(self) -> int | None:
        """How long a lesson may last at most [min]; None: as long as it lasts."""
        known = [bound for bound in (self.lesson.minutes, self.until) if bound is not None]
        return min(known, default=None)


def outdoors(now: dict[str, float], ahead: Sequence[tuple[int, str, float]], day: date) -> Outdoors | None:
    """The advice for concentrations [µg/m³] by quantity now, and `ahead` as (minutes from now, quantity,
    concentration), in order of time; None where nothing is known now."""
    ranks = [found for name, value in now.items() if (found := rank(name, value, day)) is not None]
    if not ranks:
        return None
    bad = (minutes for minutes, name, value in ahead if (rank(name, value, day) or 0) >= UNHEALTHY)
    worst = max(ranks)
    return Outdoors(worst, LESSONS[worst], next(bad, None) if worst < UNHEALTHY else None)
