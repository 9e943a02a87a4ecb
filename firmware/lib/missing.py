"""What stands in a sensor's place where its driver couldn't be had."""


class Missing:
    """A driver without columns; its trouble is told beside it."""

    columns: tuple = ()
    warm_ms = 0

    async def start(self) -> None:
        """Nothing."""

    async def read(self) -> list:
        """Return no values."""
        return []

    def errors(self) -> tuple:
        """Return the one error."""
        return (("driver", 1),)
