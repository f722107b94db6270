#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The console dies again and again while bytes pass stdin and stdout, and none of them is lost.

Usage: streams.py --build FOLDER [--cpus N] [--deaths N] [--seed N] [--outside] [--root]

It is ended by a program inside, or, with --outside, by SIGKILL to its process on the host; with
--root together with the supervisor.
"""

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
import threading

from outside import Killer, kernel_of

# What the kernel's log and the deaths may say.
EXPECTED = (r"axolotl: \d+ pages, \d+ CPUs",
            r"supervisor: console was ended: cause [26]",
            r"supervisor: started anew, \d+ times so far",
            r"root task died: cause [26], fault 0 at 0x0",
            r"scripts/run: monitor: Linux call \d+ \(\w+\) is not there, .*",  # what libc asks
            "enough")
BLOCK = 1 << 20
PATIENCE_SECONDS = 100, 2  # and so many a death


def machine_start(build, arguments):
    """A run of the front end, whose monitor is the program that passes the bytes."""
    setting = {"COUNT": arguments.deaths, "SEED": arguments.seed,
               "WHO": "outside" if arguments.outside else "inside",
               "WHAT": "root" if arguments.root else "console"}
    options = [f"--env=KILLS_{name}={value}" for name, value in setting.items()]
    return subprocess.Popen(
        [f"{build}/tools/run/axolotl-run", "--verbose", "--kernel",
         f"{build}/hal/hosted/axolotl-hosted", "--root", f"{build}/root.image", "--image",
         f"{build}/streams.image", "--cpus", str(arguments.cpus), "--timeout",
         str(PATIENCE_SECONDS[0] + PATIENCE_SECONDS[1] * arguments.deaths), *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class Outside:
    """Both ends of the streams."""

    def __init__(self, machine, seed):
        self.machine = machine
        self.enough = threading.Event()
        self.moved = threading.Condition()
        self.said = []
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.sent_bytes = self.got_bytes = 0
        self.last = b""
        self.feeding = random.Random(seed)
        self.reading = random.Random(seed + 1)
        self.killing = random.Random(seed + 2)

    def listen(self):
        for line in self.machine.stderr:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text == "enough":
                self.have_enough()
            if not any(re.fullmatch(pattern, text) for pattern in EXPECTED):
                self.said.append(text)
        self.have_enough()  # or never will

    def have_enough(self):
        self.enough.set()
        with self.moved:
            self.moved.notify()

    def goes_on(self):
        """Until bytes have passed, as a rule; false: there were deaths enough."""
        with self.moved:
            until = self.got_bytes + self.killing.choice((0, self.size(self.killing)))
            self.moved.wait_for(lambda: self.got_bytes >= until or self.enough.is_set())
        return not self.enough.is_set()

    def feed(self):
        """Blocks that differ, in pieces of any size, until there were deaths enough."""
        block, number = self.feeding.randbytes(BLOCK), 0
        try:
            while not self.enough.is_set():
                piece = number.to_bytes(8, "little") + block[self.size(self.feeding):]
                self.machine.stdin.write(piece)
                self.machine.stdin.flush()
                self.sent.update(piece)
                self.sent_bytes += len(piece)
                number += 1
            self.machine.stdin.close()
        except BrokenPipeError:
            pass  # what comes out tells more

    def collect(self):
        while data := os.read(self.machine.stdout.fileno(), 1 + self.size(self.reading)):
            self.got.update(data)
            self.last = data[-200:]
            with self.moved:
                self.got_bytes += len(data)
                self.moved.notify()

    @staticmethod
    def size(chance):
        return chance.randrange(chance.choice((100, 10000, BLOCK)))

    def run(self, killing):
        threads = [threading.Thread(target=work, daemon=True)
                   for work in (self.listen, self.feed, *killing)]
        for thread in threads:
            thread.start()
        self.collect()
        for thread in threads:
            thread.join()
        return self.machine.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--deaths", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--outside", action="store_true")
    parser.add_argument("--root", action="store_true")
    arguments = parser.parse_args()
    machine = machine_start(arguments.build, arguments)
    outside = Outside(machine, arguments.seed)
    killing = []
    if arguments.outside:
        killer = Killer(machine, kernel_of(machine), ("console",), random.Random(arguments.seed))
        kills = killer.with_supervisor if arguments.root else killer.alone
        killing = [lambda: kills(outside.goes_on)]
    status = outside.run(killing)
    print("\n".join(outside.said))
    print(f"{outside.sent_bytes} bytes went in, {outside.got_bytes} came out")
    ends = [line for line in outside.said if line.startswith("the console died")]
    same = outside.sent.digest() == outside.got.digest()
    if status != 0 or not same:
        print(f"status {status}, the bytes are {'the same' if same else 'others'}, at the end:",
              outside.last)
    return 0 if status == 0 and same and len(ends) == 1 and len(outside.said) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
