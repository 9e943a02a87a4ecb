"""The virtual school."""
