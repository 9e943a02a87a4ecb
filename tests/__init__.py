"""The tests, on real parts."""
