#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run: what lies in the file system while it runs, and what it holds. For any machine; see
runs.py. The program `refuse` lies beside PROBE."""

import fcntl
import signal
import subprocess

import runs
from runs import RunTest

REFUSE = runs.PROBE.parent / "refuse"
PLACES = ("--status", "status", "--trace", "trace", "--get", "/bin/probe=back")


class Meanwhile(RunTest):
    def running(self, *options, **more):
        """A run that waits for its input."""
        run = self.start(*options, "--", "probe", "cat", stdin=subprocess.PIPE, **more)
        run.process.stdin.write(b"x\n")
        run.process.stdin.flush()
        run.read_until(b"x\n")
        return run

    def test_nothing_lies_there(self):
        run = self.running(*PLACES)
        self.assertEqual(self.files(), [])
        self.assertEqual(run.finish(b""), (0, b"", b""))
        self.assertEqual(self.files(), ["back", "status", "trace"])

    def test_nothing_is_left_of_one_that_is_killed(self):
        run = self.running(*PLACES)
        pids = run.pids()
        run.signal(signal.SIGKILL)
        run.process.wait(runs.PATIENCE)
        runs.await_state(pids, "ZX")
        self.assertEqual(self.files(), [])

    def test_where_files_always_have_a_name(self):
        """They have one of their own until they are complete, and take the other's place."""
        for old in (False, True):
            if old:
                self.write("status", b"old")
            run = self.running("--status", "status", prefix=[REFUSE, "O_TMPFILE"])
            names = [name for name in self.files() if name != "status"]
            self.assertEqual(len(names), 1)
            self.assertRegex(names[0], r"^\.status\.\d+-0$")
            self.assertEqual("status" in self.files(), old)
            self.assertEqual(run.finish(b""), (0, b"", b""))
            self.assertEqual(self.files(), ["status"])
            self.status_is(end="exit", status=0)

    def test_the_lock_is_held_until_all_is_open(self):
        """Then whoever wants to build may, while the machine runs."""
        lock = self.write("lock")
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            run = self.start("--lock", file.fileno(), "--", "probe", "plain",
                             pass_fds=[file.fileno()])
        run.read_until(b"ready\n")
        with open(lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # for ever, if it is held as long as the machine runs
        run.signal(signal.SIGKILL)


if __name__ == "__main__":
    runs.main()
