"""What is seldom needed isn't kept in memory: a module is loaded, used and let go."""

import sys


def call(module: str, function: str, *given: object) -> object:
    """Return what a function of a module returns; raise what it raises."""
    made = __import__(module, None, None, (function,))
    try:
        return getattr(made, function)(*given)
    finally:
        package, _, leaf = module.partition(".")
        sys.modules.pop(module, None)
        if hasattr(sys.modules[package], leaf):
            delattr(sys.modules[package], leaf)
