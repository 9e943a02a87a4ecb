"""The built-in page and JSON API, on the loopback interface unless told otherwise."""

from gateway.console.app import create_app
from gateway.console.past import History
from gateway.console.serving import Serving, serve_console

__all__ = ["History", "Serving", "create_app", "serve_console"]
