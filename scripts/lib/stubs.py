# SPDX-License-Identifier: MIT
"""Which processes of this host are an Axolotl machine, and which program each of them runs.

Usage: stubs.py [KERNEL_PID]

A line for each: KERNEL_PID PID NAME BIAS. The kernel process has the name "kernel", the one that
makes others "zygote", one whose program is not known "?". BIAS is where a position-independent
program was loaded, in hexadecimal. Without a pid: all machines of this user.
"""

import os
import struct
import sys
from pathlib import Path

# include/proto/start.h: the start block of every program, in the memory of its stub.
PROGRAM_END = 0x7FFDFFFF0000
START_ADDRESS = PROGRAM_END + 0x40000000 + 0x1000000
START_MAGIC = 0x317472617473786F
MAGIC_AT, BIAS_AT, NAME_AT, NAME_BYTES = 0, 56, 88, 16


def command_name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def children(pid):
    """A child may belong to any thread of its parent."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass
    return sorted(found)


def start_block(pid):
    """The name and bias of the program that runs in a stub; None: it has no start block."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(START_ADDRESS)
            block = memory.read(256)
    except OSError:
        return None
    if len(block) < 256 or struct.unpack_from("<Q", block, MAGIC_AT)[0] != START_MAGIC:
        return None
    name = block[NAME_AT:NAME_AT + NAME_BYTES].split(b"\0")[0].decode("utf-8", "replace")
    return name, struct.unpack_from("<Q", block, BIAS_AT)[0]


def machines():
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and command_name(entry.name) == "axolotl-hosted":
            yield int(entry.name)


def main(arguments):
    kernels = [int(arguments[0])] if arguments else sorted(machines())
    for kernel in kernels:
        print(kernel, kernel, "kernel", 0)
        for pid in children(kernel):
            name, bias = start_block(pid) or ("?", 0)
            print(kernel, pid, name or "?", f"{bias:x}")


if __name__ == "__main__":
    main(sys.argv[1:])
