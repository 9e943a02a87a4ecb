#!/bin/sh
# Runs the commands of README.md, word for word; DAYS, FROM, HOURS, SPEED and OUT make it shorter.
set -eu
cd "$(dirname "$0")/../.."
sed -n '/^```sh$/,/^```$/p' examples/subway/README.md | grep -v '^```' | sh -eux
