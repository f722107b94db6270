# SPDX-License-Identifier: MIT
"""Kills processes of a machine from outside, by SIGKILL on the host.

The supervisor's deaths lie a second apart, as two within a second end the machine.
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts/lib"))
import stubs  # noqa: E402  (from there)

SUPERVISOR_START = "00400000-"  # supervisor.ld
PAUSE_SECONDS = 1.01
LOST_SECONDS = 60


def is_supervisor(pid):
    """It has no start block, and its program lies where it does, in the machine's memory."""
    try:
        first = Path(f"/proc/{pid}/maps").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return False
    return (first.startswith(SUPERVISOR_START) and "/memfd:axolotl-memory" in first and
            stubs.start_block(pid) is None)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Killer:
    """Ends processes of a machine from outside. `machine` is the process that was started, and
    ends when the machine does; the stubs are children of `kernel`."""

    def __init__(self, machine, kernel, servers, chance):
        self.machine = machine
        self.kernel = kernel
        self.servers = servers
        self.chance = chance
        self.old = set()

    def children(self):
        try:
            return stubs.children(self.kernel)
        except OSError:
            return []  # it has ended

    def await_stub(self, condition):
        """A process of which that is true, and which was not killed before."""
        end = time.monotonic() + LOST_SECONDS
        while self.machine.poll() is None:
            children = self.children()
            self.old.intersection_update(children)  # the host uses their numbers again
            for pid in children:
                if pid not in self.old and condition(pid):
                    return pid
            if time.monotonic() > end:
                print("a process of the machine does not come back", file=sys.stderr)
                self.machine.kill()
                break
        return None

    def await_supervisor(self):
        return self.await_stub(is_supervisor)

    def await_server(self, name):
        return self.await_stub(lambda pid: (stubs.start_block(pid) or ("",))[0] == name)

    def kill(self, *pids):
        self.old.update(pids)
        for pid in pids:
            kill(pid)

    def together(self, supervisor, server):
        pids = [supervisor, server]
        self.chance.shuffle(pids)
        self.kill(*pids)

    def while_made(self, supervisor, server):
        """The server goes; when its next instance's process appears the supervisor goes too."""
        known = set(self.children())
        self.kill(server)
        made = self.await_stub(lambda pid: pid not in known)
        time.sleep(self.chance.choice((0, self.chance.random() / 1000)))
        self.kill(supervisor, *([made] if self.chance.random() < 0.5 else []))

    def while_adopted(self, supervisor, server):
        """The supervisor goes; when its next process appears the server goes too."""
        known = set(self.children())
        self.kill(supervisor)
        self.await_stub(lambda pid: pid not in known)
        time.sleep(self.chance.choice((0, self.chance.random() / 1000)))
        self.kill(server)

    def with_supervisor(self, goes_on):
        """The supervisor with one of the servers, as long as that is true."""
        while goes_on():
            supervisor = self.await_supervisor()
            server = self.await_server(self.chance.choice(self.servers))
            if supervisor is None or server is None:
                return  # the machine has ended: its log tells why
            time.sleep(PAUSE_SECONDS + self.chance.random() / 100)
            self.chance.choice((self.together, self.while_made, self.while_adopted))(
                supervisor, server)

    def alone(self, goes_on):
        """One of the servers, as long as that is true, at moments that nobody chose."""
        while goes_on():
            server = self.await_server(self.chance.choice(self.servers))
            if server is None:
                return
            time.sleep(self.chance.random() / 1000)
            self.kill(server)


def kernel_of(run):
    """The kernel process of a run of the front end, once it is there."""
    while run.poll() is None:
        for pid in stubs.children(run.pid):
            if stubs.command_name(pid) == "axolotl-hosted":
                return pid
    return None
