"""What is seldom needed isn't kept in memory: a module is loaded, used and let go.

Its names stay: MicroPython forgets none, and keeps them in tables of which each is twice the one before. The
621st of ours would begin one of 4.5 KB (7 KB on 64 bits), so that names are few and constants private.
"""

import sys


def call(path: str, name: str, *rest: object) -> object:
    """Return what a function of a module returns; raise what it raises."""
    made = __import__(path, None, None, (name,))
    try:
        return getattr(made, name)(*rest)
    finally:
        package, _, leaf = path.partition(".")
        sys.modules.pop(path, None)
        if hasattr(sys.modules[package], leaf):
            delattr(sys.modules[package], leaf)
