#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A supervisor finds what the one before left of a server.

Usage: adopted.py --build FOLDER --root IMAGE counted|suspended COUNTER PROGRAM
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import image_make, machine_start, section

MANIFEST = section("counter", "/bin/counter") + section("other", "/bin/counter") + """\
[init]
program  = /bin/adopted {part}
priority = 20
log      = yes
system   = read control
calls    = counter
"""

# What the deaths say; a supervisor that dies while it tells of one tells again.
EXPECTED = (r"axolotl: \d+ pages, \d+ CPUs",
            r"crash .*",
            r"supervisor: counter hung, and was ended",
            r"supervisor: other was ended: cause 2",
            r"supervisor: started anew, 1 times so far",
            r"root task died: cause \d+, fault \d+ at 0x[0-9a-f]+.*")
LIMIT_SECONDS = 60


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("part", choices=("counted", "suspended"))
    parser.add_argument("counter")
    parser.add_argument("program")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = image_make(arguments.build, Path(folder), MANIFEST.format(part=arguments.part),
                           {"/bin/counter": arguments.counter, "/bin/adopted": arguments.program})
        machine = machine_start(arguments.build, 1, image, root=arguments.root)
        try:
            lines = machine.communicate(timeout=LIMIT_SECONDS)[0].splitlines()
        except subprocess.TimeoutExpired:
            machine.kill()
            lines = [*machine.communicate()[0].splitlines(), "the machine does not end"]
    said = [line for line in lines
            if not any(re.fullmatch(pattern, line) for pattern in EXPECTED)]
    print("\n".join(said))
    expected = len(said) == 1 and said[0].startswith("adopted: ")
    return 0 if machine.returncode == 0 and expected else 1


if __name__ == "__main__":
    sys.exit(main())
