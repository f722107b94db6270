#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server dies again and again while clients work with it, and none of them notices.

Usage: kills.py --build FOLDER [--cpus N] [--deaths N] [--seed N] [--protect]
                SERVER PROGRAM CLIENT
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from machine import image_make, machine_start, section

MANIFEST = section("{server}", "/bin/{server} {arguments}") + """\
[init]
program  = /bin/kills {server} {deaths} {seed}
priority = 20
log      = yes
system   = read control
calls    = {server}
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--deaths", type=int, default=20 if os.environ.get("AX_QUICK") else 150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--protect", action="store_true")
    parser.add_argument("server")
    parser.add_argument("program")
    parser.add_argument("client")
    arguments = parser.parse_args()
    server = arguments.server
    with tempfile.TemporaryDirectory() as folder:
        manifest = MANIFEST.format(
            server=server, deaths=arguments.deaths, seed=arguments.seed,
            arguments="--protect" if arguments.protect else "")
        image = image_make(arguments.build, Path(folder), manifest,
                           {f"/bin/{server}": arguments.program, "/bin/kills": arguments.client})
        machine = machine_start(arguments.build, arguments.cpus, image)
        lines = machine.communicate()[0].splitlines()
    # However far the instance had come.
    said = [line for line in lines if line != f"supervisor: {server} was ended: cause 2"]
    print("\n".join(said))
    ends = [line for line in said if line.startswith(f"kills: {server} died")]
    expected = len(ends) == 1 and len(said) == 2  # that line, and the kernel's first
    return 0 if machine.returncode == 0 and expected else 1


if __name__ == "__main__":
    sys.exit(main())
