"""The one kind of error that a person is meant to read."""


class Problem(Exception):
    """What went wrong, where, and what to do; low layers raise subclasses, the command line shows them."""

    def __init__(self, what: str, where: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.advice = advice

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f"\n  {self.advice}" if self.advice else "")
