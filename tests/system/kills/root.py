#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The supervisor dies together with a server, again and again, and no client notices.

Usage: root.py --build FOLDER [--cpus N] [--deaths N] [--seed N] [--outside]
               COUNTER PIPE CLIENT

They are ended by a program inside, or, with --outside, by SIGKILL to their processes on the host.
The supervisor's deaths lie a second apart, as two within a second end the machine.
"""

import argparse
import random
import re
import signal
import sys
import tempfile
import threading
from pathlib import Path

from machine import image_make, machine_start, section
from outside import Killer

MANIFEST = section("counter", "/bin/counter") + section("pipe", "/bin/pipe") + """\
[init]
program  = /bin/kills_root {deaths} {seed} {who}
priority = 20
log      = yes
system   = read control
calls    = counter pipe
"""

# What a death may say.
EXPECTED = (r"supervisor: (counter|pipe) was ended: cause [26]",
            r"supervisor: started anew, \d+ times so far",
            r"root task died: cause [26], fault 0 at 0x0",
            r"kills: enough")
SERVERS = ("counter", "pipe")
LIMIT_SECONDS = 60, 4  # and so many a death


def lines_of(machine, arguments):
    """All that it says to its end. A kill from outside may hit nothing, so that there are more of
    them until the machine has counted enough; and there is an end to that."""
    enough = threading.Event()
    limit = LIMIT_SECONDS[0] + LIMIT_SECONDS[1] * arguments.deaths
    timer = threading.Timer(limit, machine.kill)
    timer.start()
    if arguments.outside:
        killer = Killer(machine, machine.pid, SERVERS, random.Random(arguments.seed))
        threading.Thread(target=killer.with_supervisor, args=(lambda: not enough.is_set(),),
                         daemon=True).start()
    lines = []
    for line in machine.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1] == "kills: enough":
            enough.set()
    machine.wait()
    if machine.returncode == -signal.SIGKILL:
        deaths = sum("started anew" in line for line in lines)
        print(f"in {limit} s the supervisor died {deaths} times, of {arguments.deaths}, or the "
              "clients stood still")
    timer.cancel()
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--deaths", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outside", action="store_true")
    parser.add_argument("counter")
    parser.add_argument("pipe")
    parser.add_argument("client")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manifest = MANIFEST.format(deaths=arguments.deaths, seed=arguments.seed,
                                   who="outside" if arguments.outside else "inside")
        image = image_make(arguments.build, Path(folder), manifest,
                           {"/bin/counter": arguments.counter, "/bin/pipe": arguments.pipe,
                            "/bin/kills_root": arguments.client})
        machine = machine_start(arguments.build, arguments.cpus, image)
        lines = lines_of(machine, arguments)
    said = [line for line in lines
            if not any(re.fullmatch(pattern, line) for pattern in EXPECTED)]
    print("\n".join(said))
    ends = [line for line in said if line.startswith("kills: supervisor died")]
    expected = len(ends) == 1 and len(said) == 2  # that line, and the kernel's first
    if machine.returncode != 0:
        print(f"the machine ended with {machine.returncode}; before that:", *lines[-5:], sep="\n")
    return 0 if machine.returncode == 0 and expected else 1


if __name__ == "__main__":
    sys.exit(main())
