"""Waiting for streams of which there are none: only time passes."""

import time

POLLIN, POLLOUT = 1, 4


class poll:
    """Nothing ever becomes ready."""

    def register(self, stream: object, events: int) -> None:
        """Nothing."""

    modify = register

    def unregister(self, stream: object) -> None:
        """Nothing."""

    def ipoll(self, ms: int) -> tuple:
        """Let the time pass."""
        time.sleep_ms(max(0, ms))
        return ()
