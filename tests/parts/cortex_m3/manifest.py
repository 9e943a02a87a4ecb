"""What is frozen into the emulated board: asyncio, and stand-ins for what its port lacks."""

# ruff: noqa: F821 (MicroPython's build brings these names)
package(
    "asyncio",
    ("__init__.py", "core.py", "event.py", "funcs.py", "lock.py", "stream.py", "task.py"),
    base_path="$(MPY_DIR)/extmod",
    opt=3,
)
for name in ("os", "time", "select", "socket", "tls", "psram"):
    module(name + ".py", base_path="stand_ins", opt=3)
