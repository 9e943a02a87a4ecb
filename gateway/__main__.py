"""`python -m gateway` is the command `gongi`."""

from gateway.command import main

main()
