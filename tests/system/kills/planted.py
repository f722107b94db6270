#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server goes wrong in one of the worst ways, and who has nothing to do with it does not notice.

Usage: planted.py --build FOLDER [--cpus N] [--count N] [--seed N]
                  MODE PLANTED COUNTER PIPE CLIENT

MODE is call, loop, stash, later, wild or broken: planted.c tells what each is.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from machine import image_make, machine_start, section

MANIFEST = """
[server planted]
program   = /bin/planted
priority  = 40
memory    = 32M
objects   = 2000
stash     = 2M
log       = yes
{heartbeat}
backoff   = 1ms 50ms

[server broken]
program   = /bin/planted broken
priority  = 40
memory    = 4M
objects   = 200
stash     = 64K
log       = yes
restart   = {count}
backoff   = 1ms 10s

""" + section("counter", "/bin/counter") + section("pipe", "/bin/pipe") + """\
[init]
program   = /bin/planted_client {mode} {count} {seed}
priority  = 20
log       = yes
system    = read control
calls     = planted broken counter pipe
"""

# Where it may loop. On a busy host one that does not loop may be found late as well.
HEARTBEATS = {"loop": "heartbeat = 700ms", "wild": "heartbeat = 700ms"}
COUNTS = {"call": 6, "loop": 2, "stash": 2, "later": 2, "wild": 12, "broken": 5}
# What must be said of the server in the log.
NEEDED = {"call": "supervisor: planted died of fault",
          "loop": "supervisor: planted hung, and was ended",
          "stash": "planted: the last commit is undone: two instances died of it",
          "later": "planted: its stash is refused: too many instances died of it",
          "wild": "planted: its stash is refused: ",
          "broken": "supervisor: broken is not started again: died 5 times in a row"}
INNOCENT = ("supervisor: counter", "supervisor: pipe", "counter: ", "pipe: ", "root task")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("mode", choices=sorted(COUNTS))
    for program in ("planted", "counter", "pipe", "client"):
        parser.add_argument(program)
    arguments = parser.parse_args()
    mode = arguments.mode
    with tempfile.TemporaryDirectory() as folder:
        manifest = MANIFEST.format(mode=mode, heartbeat=HEARTBEATS.get(mode, ""),
                                   count=arguments.count or COUNTS[mode], seed=arguments.seed)
        image = image_make(arguments.build, Path(folder), manifest,
                           {"/bin/planted": arguments.planted, "/bin/counter": arguments.counter,
                            "/bin/pipe": arguments.pipe,
                            "/bin/planted_client": arguments.client})
        machine = machine_start(arguments.build, arguments.cpus, image)
        lines = machine.communicate()[0].splitlines()
    ends = [line for line in lines if line.startswith(f"planted: {mode}: ")]
    odd = [line for line in lines if line.startswith(INNOCENT)]
    is_said = any(line.startswith(NEEDED[mode]) for line in lines)
    expected = machine.returncode == 0 and len(ends) == 1 and not odd and is_said
    print("\n".join(ends if expected else lines))
    if not expected:
        print(f"the machine ended with {machine.returncode}; needed in its log: {NEEDED[mode]}")
    return 0 if expected else 1


if __name__ == "__main__":
    sys.exit(main())
