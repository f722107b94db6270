#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the kernel's program cannot do yet it says, in a line, and ends with 125.

Usage: refusals.py MACHINE
"""

import subprocess
import sys

REFUSALS = [
    (["--seed", "1", "--port", "stdin=0:in"],
     "axolotl: port stdin: what a seeded run reads must be a file\n"),
    (["--trace", "99"], "axolotl: 99 is no descriptor\n"),
    (["--trace", "file"], "axolotl: file is not a number\n"),
    (["--seed", "1", "--cpus", "2"], "axolotl: a seeded run has one CPU\n"),
]


def main(machine):
    for arguments, text in REFUSALS:
        result = subprocess.run([machine, *arguments], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=50, check=False)
        assert result.returncode == 125, (arguments, result)
        assert (result.stdout, result.stderr) == ("", text), (arguments, result)


if __name__ == "__main__":
    main(*sys.argv[1:])
