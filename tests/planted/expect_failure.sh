#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: expect_failure.sh PROGRAM [ARG...]
#
# Runs a test program with a bug planted in the kernel: it must find something (exit status 1).
set -u
output=$("$@" 2>&1)
status=$?
# Set off, so that what it found is not counted as a failure of ours.
printf '%s\n' "$output" | tail -n 8 | sed 's/^/    | /'
if [ "$status" -eq 1 ]; then
    echo "the planted bug was found"
    exit 0
fi
echo "the planted bug was NOT found: $1 ended with status $status"
exit 1
