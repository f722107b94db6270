#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/debug on a running machine: a breakpoint by name in one of two processes of a program.

Usage: debug.py ROOT MACHINE ROOT_IMAGE IMAGE
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ALONE = 10  # so many lines in a row come only of a process whose sibling stands still
BACKLOG = 5000  # lines that may have come before the sibling was stopped
SECONDS = 150

COMMANDS = """
break tick
continue
echo \\n== first stop\\n
backtrace
shell echo stopped > {stopped}
shell cat {go_on} > /dev/null
step
info line
continue
echo \\n== second stop\\n
backtrace 1
delete
detach
quit
"""


def spoke(machine):
    """Which of the two says the next line of the machine's log."""
    line = machine.stdout.readline()
    if not line:
        sys.exit("the machine ended")
    return line.split()[0]


def await_line(machine, name):
    while spoke(machine) != name:
        pass


def await_count(machine, name, count):
    """Waits until the program says that it has counted that far."""
    while True:
        line = machine.stdout.readline()
        if not line:
            sys.exit("the machine ended")
        if line.split()[0] == name and int(line.split()[1]) >= count:
            return


def is_alone(machine, name):
    """Whether only this one goes on."""
    in_row = 0
    for _ in range(BACKLOG):
        in_row = in_row + 1 if spoke(machine) == name else 0
        if in_row == ALONE:
            return True
    return False


def instances(root, machine):
    """The pids of the program's processes."""
    listing = subprocess.run(
        [sys.executable, "-B", f"{root}/scripts/lib/stubs.py", str(machine.pid)],
        capture_output=True, text=True, check=True).stdout
    return [row.split()[1] for row in listing.splitlines() if row.split()[2] == "ticker"]


def main(root, program, root_image, image):
    machine = subprocess.Popen([program, "--cpus", "2", "--root", root_image, "--image", image,
                                "--log", "1"], stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            check(root, machine, Path(folder))
        finally:
            machine.kill()
            machine.wait()


def check(root, machine, folder):
    for name in ("first", "second"):
        await_line(machine, name)
    pids = instances(root, machine)
    assert len(pids) == 2, pids
    stopped, go_on = folder / "stopped", folder / "go-on"
    os.mkfifo(stopped)
    os.mkfifo(go_on)
    commands = folder / "commands"
    commands.write_text(COMMANDS.format(stopped=stopped, go_on=go_on))
    debugger = subprocess.Popen(
        [f"{root}/scripts/debug", "--pid", str(machine.pid), pids[0], "--", "-batch", "-x",
         str(commands)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    stopped.read_text()
    was_alone = is_alone(machine, "second")
    go_on.write_text("go")
    output, _ = debugger.communicate(timeout=SECONDS)
    print(output)
    assert was_alone
    assert debugger.returncode == 0, debugger.returncode
    for stop in ("first stop", "second stop"):
        frames = output.split(f"== {stop}")[1]
        assert "tick (count=" in frames and "ticker.c" in frames, stop
    assert "in main (" in output.split("== first stop")[1]
    # Both go on: the first says what it cannot have said before it was stopped.
    reached = max(int(count) for count in re.findall(r"tick \(count=(\d+)\)", output))
    await_count(machine, "first", reached + 1)
    await_line(machine, "second")


if __name__ == "__main__":
    main(*sys.argv[1:])
