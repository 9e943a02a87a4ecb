"""What can go wrong with a source, by what a person can do about it."""

from edge.problem import Problem


class SourceProblem(Problem):
    """A source didn't give what it was asked for; `again`: the same request may succeed in a while."""

    again = False


class KeyMissing(SourceProblem):
    """The source wants a key, and the environment has none."""


class KeyRefused(SourceProblem):
    """The source knows the key not, no longer, or not for this service."""


class QuotaSpent(SourceProblem):
    """The source has answered as often as it will for now."""


class Refused(SourceProblem):
    """The source says that the request itself is wrong."""


class NotAnswering(SourceProblem):
    """Nobody answers, or only with an error of the server's own."""

    again = True


class Unreadable(SourceProblem):
    """The answer isn't what the source's documentation says."""

    again = True
