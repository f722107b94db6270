#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The machine's processes, from outside.

Usage: outside.py [--patience N] [--unprivileged] attack AXOLOTL ROOT-IMAGE IMAGE CPUS
       outside.py look   AXOLOTL ROOT-IMAGE IMAGE
       outside.py births AXOLOTL ROOT-IMAGE IMAGE
       outside.py limits AXOLOTL ROOT-IMAGE IMAGE

attack: the hostile program runs all its attacks; afterwards nothing is on the host that was not
there before. look: each stub has what docs/hosted.md says and nothing else, and nothing is left
when any process of the machine is killed. births: of stubs that come and go many are killed as soon
as they are there. limits: where the host gives little, the machine says so
and ends, or does with less. --unprivileged: if this is root, the machine is started by another
user, from copies that this one can read; otherwise it is anyhow. --patience: what should happen
soon may take so many times as long.
"""

import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types

CANARY = "/tmp/axolotl-hostile-canary"
FIRST_CHILDREN = 5  # the zygote, the supervisor, the hostile program, two bystanders
NOBODY = 65534
STARTER = 65533  # another than that

TEXT, CONSTANTS, ORDERS = 0x7ffe80000000, 0x7ffe80100000, 0x7ffe80200000
AREAS, AREA_BYTES = 0x7fff00000000, 0x10000
AREAS_BYTES, SIGNAL_STACK = 0x10000000, 0x3000
FUTEX = 202
KERNEL_PAGE = 0x7ffdffff0000
THREAD_PAGES, PERSONALITY_END = KERNEL_PAGE + 0x100000, KERNEL_PAGE + 0x80000000
RAM = 0x40000000
ALL_BUT_KILL_AND_STOP = 0xfffffffffffbfeff
CAUGHT = sum(1 << (number - 1) for number in (4, 5, 7, 8, 10, 11, 31))

complaints = []
limit = types.SimpleNamespace(seconds=20)  # how long what should happen soon may take
starter = {}  # as whom the machine is started: options of subprocess.Popen


def complain(text):
    complaints.append(text)
    print("FAILED:", text)


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def await_that(condition, what):
    end = time.monotonic() + limit.seconds
    while not condition():
        if time.monotonic() > end:
            complain(f"after {limit.seconds} s it is still not so: {what}")
            return False
        time.sleep(0.005)
    return True


# ---- The machine ---------------------------------------------------------------------------------

def process_of(pid):
    """(state, parent, process group, session, start time)"""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], int(fields[1]), int(fields[2]), int(fields[3]), fields[19])


def processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            about = process_of(pid)
        except OSError:
            continue
        if about[0] != "Z":
            found[int(pid)] = about
    return found


class Machine:
    def __init__(self, command, **options):
        self.log = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, bufsize=0, **starter, **options)
        self.pid = self.log.pid

    def await_standing(self, times=1):
        end = time.monotonic() + limit.seconds
        while select.select([self.log.stdout], [], [], max(0, end - time.monotonic()))[0]:
            line = self.log.stdout.readline()
            if line == b"":
                complain("the machine ended while it was to stand")
                return False
            times -= line == b"standing\n"
            if times == 0:
                return True
        complain(f"in {limit.seconds} s the bystanders made no step")
        self.log.kill()
        return False

    def children(self):
        return {pid: about for pid, about in processes().items() if about[1] == self.pid}

    def end(self):
        """Kills it; its exit status, and what it said since."""
        self.log.kill()
        return self.finish()

    def finish(self):
        text = self.log.stdout.read().decode(errors="replace")
        return self.log.wait(limit.seconds), text


def expect_nothing_left(known, what):
    def is_gone():
        now = processes()
        return not any(now.get(pid, [None])[-1] == about[-1] for pid, about in known.items())
    await_that(is_gone, f"{what}: no process is left")


# ---- What a stub has -----------------------------------------------------------------------------

def descriptors(path):
    return {int(fd): os.readlink(f"{path}/{fd}") for fd in os.listdir(path)}


def is_zygote(pid):
    return 6 in descriptors(f"/proc/{pid}/fd")


def check_descriptors(pid, tasks):
    wanted = {3: "/memfd:axolotl-memory (deleted)", 4: "anon_inode:[eventfd]",
              5: "/memfd:axolotl-numbers (deleted)"}
    found = descriptors(f"/proc/{pid}/fd")
    if found != wanted:
        complain(f"the mapper's descriptors are {found}")
    for task in tasks:
        found = descriptors(f"/proc/{pid}/task/{task}/fd")
        if task != pid and found:
            complain(f"a guest thread has descriptors: {found}")


def stub_mappings(slots):
    """Those that are the machine's own: start -> (end, permissions)"""
    wanted = {TEXT: (TEXT + 0x4000, "r-xs"), CONSTANTS: (CONSTANTS + 0x4000, "r--s"),
              ORDERS: (ORDERS + 0x4000, "r--s")}
    for slot in slots:
        area = AREAS + slot * AREA_BYTES
        wanted[area] = (area + 0x1000, "rw-s")
        wanted[area + 0x1000] = (area + 0x2000, "r--s")
        wanted[area + 0x3000] = (area + AREA_BYTES, "rw-p")
    return wanted


def check_guest_mapping(line, start, end, permissions, offset, name):
    if start < 0x10000 or end > PERSONALITY_END:
        complain(f"a mapping outside of the guest's part: {line}")
    if "w" in permissions and "x" in permissions:
        complain(f"a mapping to write and execute: {line}")
    if ("w" in permissions) != (permissions[3] == "s"):
        complain(f"a mapping shared that should be private, or private that should not: {line}")
    if "axolotl-memory" not in name or offset < RAM:
        complain(f"a mapping that is not of RAM: {line}")


def check_mappings(pid, tasks):
    own, has_guests = {}, False
    for line in read(f"/proc/{pid}/maps").splitlines():
        place, permissions, offset, _, _, *name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in place.split("-"))
        if name == ["[vsyscall]"]:
            continue
        if start >= PERSONALITY_END:
            own[start] = (end, permissions)
        else:
            has_guests = True
            check_guest_mapping(line, start, end, permissions, int(offset, 16), "".join(name))
    slots = sorted((start - AREAS) // AREA_BYTES for start in own
                   if start >= AREAS and (start - AREAS) % AREA_BYTES == 0)
    if len(slots) != len(tasks) - 1:
        complain(f"{len(tasks) - 1} guest threads, areas of the slots {slots}")
    if len(tasks) == 1 and has_guests:
        complain("a stub without a guest thread has mappings of a guest's")
    if own != stub_mappings(slots):
        complain(f"mappings of the machine's: "
                 f"{ {hex(a): (hex(b), c) for a, (b, c) in own.items()} }")


def status_of(pid, task):
    return dict(line.split(":\t", 1) for line in
                read(f"/proc/{pid}/task/{task}/status").splitlines() if ":\t" in line)


def check_status(pid, task):
    status = status_of(pid, task)
    is_mapper = task == pid
    user = starter.get("user", NOBODY if os.geteuid() == 0 else os.geteuid())
    group = starter.get("group", NOBODY if os.geteuid() == 0 else os.getegid())
    wanted = {"Uid": "\t".join([str(user)] * 4), "Gid": "\t".join([str(group)] * 4),
              "NoNewPrivs": "1", "Seccomp": "0" if is_mapper else "2", "TracerPid": "0"}
    if os.geteuid() == 0:
        wanted["Groups"] = " "
    for key, value in wanted.items():
        if status[key].strip() != value.strip():
            complain(f"{'mapper' if is_mapper else 'guest thread'}: {key} is {status[key]}")
    for key in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        if int(status[key], 16) != 0:
            complain(f"{key} is {status[key]}")
    blocked = int(status["SigBlk"], 16)
    if blocked != (ALL_BUT_KILL_AND_STOP if is_mapper else 0):
        complain(f"{'mapper' if is_mapper else 'guest thread'} blocks {blocked:x}")
    inherited = int(status_of(os.getpid(), os.getpid())["SigIgn"], 16)
    if int(status["SigCgt"], 16) != CAUGHT or int(status["SigIgn"], 16) & ~inherited:
        complain(f"catches {status['SigCgt']}, ignores {status['SigIgn']}")


def check_wait(pid, task, kernel):
    """A guest thread waits off its signal stack, or what comes meanwhile would pile up there. One
    that computes waits while others have a turn; one that makes calls without end never sleeps over
    them, but when the kernel stands still."""
    found = []

    def is_asleep():
        words = read(f"/proc/{pid}/task/{task}/syscall").split()
        if words[0] == str(FUTEX):
            found.append(int(words[-2], 16))
        return found

    def is_waiting():
        if is_asleep():
            return True
        os.kill(kernel, signal.SIGSTOP)
        for _ in range(20):
            if is_asleep():
                break
            time.sleep(0.001)
        os.kill(kernel, signal.SIGCONT)
        return found

    if await_that(is_waiting, f"guest thread {task} waits"):
        area = (found[0] - AREAS) % AREA_BYTES
        if AREAS <= found[0] < AREAS + AREAS_BYTES and area >= SIGNAL_STACK:
            complain(f"a guest thread waits at {found[0]:x}, on its signal stack")


def check_stub(pid, about, zygote, kernel):
    tasks = [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    check_descriptors(pid, tasks)
    check_mappings(pid, tasks)
    for task in tasks:
        check_status(pid, task)
        if task != pid:
            check_wait(pid, task, kernel)
    if about[2] != zygote or about[3] != os.getsid(0):
        complain(f"process group {about[2]} and session {about[3]}")
    if not re.search(r"Max core file size +0 +0 ", read(f"/proc/{pid}/limits")):
        complain("it may dump core")


def thread_counts(machine):
    return sorted(len(os.listdir(f"/proc/{pid}/task")) for pid in machine.children()
                  if not is_zygote(pid))


def stubs_are_those(machine):
    """Those of the supervisor, the hostile program, two bystanders and one that stands, and parked
    ones without a guest thread."""
    try:
        counts = thread_counts(machine)
    except OSError:
        return False  # one of them has just ended
    return counts[-5:] == [2, 2, 2, 2, 5] and set(counts[:-5]) == {1}


def kill_parked(machine):
    """Nobody misses a parked stub."""
    parked = [pid for pid in machine.children()
              if not is_zygote(pid) and len(os.listdir(f"/proc/{pid}/task")) == 1]
    for pid in parked:
        os.kill(pid, signal.SIGKILL)
    await_that(lambda: not set(parked) & set(machine.children()), "parked stubs are gone")
    if not machine.await_standing(2):
        complain("without its parked stubs the machine does not go on")


def look(command):
    machine = Machine(command)
    if not machine.await_standing():
        return
    children = machine.children()
    zygotes = [pid for pid in children if is_zygote(pid)]
    if len(zygotes) != 1:
        complain(f"{len(zygotes)} zygotes")
        return
    await_that(lambda: stubs_are_those(machine), "stubs are used or parked")
    children = machine.children()
    stubs = [pid for pid in children if pid not in zygotes]
    for pid in stubs:
        check_stub(pid, children[pid], zygotes[0], machine.pid)
    if not stubs_are_those(machine):
        complain(f"stubs have {thread_counts(machine)} threads")
    kill_parked(machine)
    kill_each(command, machine, zygotes[0])


# ---- Ends ----------------------------------------------------------------------------------------

def expect_stopped_is_spared(machine, stubs):
    """A stub that somebody outside stops is waited for, longer than one that does not answer."""
    for pid in stubs:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.6)
    for pid in stubs:
        os.kill(pid, signal.SIGCONT)
    if not machine.await_standing(2) or set(stubs) - set(machine.children()):
        complain("a stub that was stopped was not spared")


def kill_each(command, machine, zygote):
    children = machine.children()
    stubs = [pid for pid in children if pid != zygote]
    expect_stopped_is_spared(machine, stubs)
    known = {**children, machine.pid: processes()[machine.pid]}
    stub = max(stubs, key=lambda pid: len(os.listdir(f"/proc/{pid}/task")))
    os.kill(stub, signal.SIGKILL)
    await_that(lambda: stub not in processes(), "a killed stub is gone")
    if not machine.await_standing(2):
        return
    os.kill(zygote, signal.SIGKILL)
    status, text = machine.finish()
    if status != 125 or "axolotl: " not in text:
        complain(f"without its zygote the machine ended with {status}: {text}")
    expect_nothing_left(known, "the zygote was killed")

    machine = Machine(command)
    if not machine.await_standing():
        return
    known = {**machine.children(), machine.pid: processes()[machine.pid]}
    machine.end()
    expect_nothing_left(known, "the kernel process was killed")


def attack(command):
    if os.path.exists(CANARY):
        os.unlink(CANARY)
    shared = set(os.listdir("/dev/shm"))
    machine = Machine(command)
    known = {}
    for line in machine.log.stdout:
        print(line.decode(errors="replace"), end="", flush=True)
        known.update(machine.children())
    status = machine.log.wait(limit.seconds)
    if status != 0:
        complain(f"the machine ended with {status}")
    expect_nothing_left(known, "the machine ended")
    if os.path.exists(CANARY) or set(os.listdir("/dev/shm")) - shared:
        complain("a guest made a file of the host's")


def kill_child(parent, pid):
    """False: it was no child of that parent any more."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if process_of(pid)[1] != parent:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def births(command):
    machine = Machine(command)
    spared, killed = [], 0
    while machine.log.poll() is None:
        try:
            children = read(f"/proc/{machine.pid}/task/{machine.pid}/children").split()
        except OSError:
            continue
        # Linux may name a child twice or not at all while others end.
        for pid in map(int, children):
            if pid in spared:
                continue
            if len(spared) < FIRST_CHILDREN:
                spared.append(pid)
            else:
                killed += kill_child(machine.pid, pid)
    status, text = machine.finish()
    if status != 0 or killed < 20:
        complain(f"{killed} stubs were killed, the machine ended with {status}: {text}")


# ---- Limits --------------------------------------------------------------------------------------

def limits(command):
    def with_limit(which, soft, hard):
        def apply():
            resource.setrlimit(which, (soft, hard))
        return Machine(command, preexec_fn=apply)

    for what, which, count in (("descriptors", resource.RLIMIT_NOFILE, 10),
                               ("processes", resource.RLIMIT_NPROC, 1)):
        status, text = with_limit(which, count, count).finish()
        if status != 125 or text.count("\n") != 1 or not text.startswith("axolotl: "):
            complain(f"with {count} {what} it ended with {status}: {text}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for soft, most in ((12, hard), (20, 22)):
        machine = with_limit(resource.RLIMIT_NOFILE, soft, most)
        if machine.await_standing(2):
            known = machine.children()
            machine.end()
            expect_nothing_left(known, "few descriptors")


def copies_for_everybody(folder, paths):
    os.chmod(folder, 0o755)
    for path in paths:
        shutil.copy(path, folder)
        os.chmod(os.path.join(folder, os.path.basename(path)), 0o755)
    return [os.path.join(folder, os.path.basename(path)) for path in paths]


def main(what, *arguments):
    if what == "--patience":
        limit.seconds *= int(arguments[0])
        return main(*arguments[1:])
    if what != "--unprivileged":
        return run(what, *arguments)
    with tempfile.TemporaryDirectory() as folder:
        what, axolotl, root, image, *rest = arguments
        if os.geteuid() == 0:
            starter.update(user=STARTER, group=STARTER, extra_groups=[], cwd="/")
        return run(what, *copies_for_everybody(folder, [axolotl, root, image]), *rest)


def run(what, axolotl, root, image, cpus="2"):
    command = [axolotl, "--cpus", cpus, "--memory", "96M", "--root", root, "--image", image,
               "--log", "1"]
    {"attack": attack, "look": look, "births": births, "limits": limits}[what](command)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
