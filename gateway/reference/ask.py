"""What is asked of a source, and how its pages are turned."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gateway.reference.observed import Observed
from gateway.reference.transport import Answer, Client, Request

MOST_PAGES = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """Values with time in [start, end) [ns UTC] of `places`: by the id under which they are kept, what the
    source calls them; `now` [ns UTC]."""

    start: int
    end: int
    places: Mapping[str, str]
    now: int

    def within(self, values: Iterable[Observed]) -> Iterator[Observed]:
        """Those of the values that were asked for."""
        return (one for one in values if self.start <= one.time < self.end)


def pages(
    client: Client,
    request: Callable[[int], Request],
    read: Callable[[Answer], tuple[list[T], int]],
    size: int,
) -> Iterator[T]:
    """The items of all pages of `size` rows; a page is read until the total is reached or none comes."""
    for page in range(1, MOST_PAGES + 1):
        found, total = client.fetch(request(page), read)
        yield from found
        if page * size >= total:
            return
