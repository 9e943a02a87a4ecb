#!/bin/sh
# Runs the commands of README.md, word for word; DAYS and OUT make it shorter.
set -eu
cd "$(dirname "$0")/../.."
sed -n '/^```sh$/,/^```$/p' examples/city/README.md | grep -v '^```' | sh -eux
