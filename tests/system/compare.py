#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds of one program print the same and end the same, on Linux and on Axolotl.

Usage: compare.py --status STATUS [--run COMMAND]... PROGRAM...

Runs each PROGRAM on this host: all must end with the exit status STATUS (128 and the signal, if one
ends them), and print the same text, in which no line begins with FAILED. Then runs each by every
COMMAND, in which {} stands for the program's path (scripts/run --quiet --file {}=/bin/program
--cpus 2 -- /bin/program): that must print the same text again, and end the same.
"""

import argparse
import shlex
import signal
import subprocess
import sys

LIMIT_SECONDS = 50
ARGUMENTS = ["one", "two words", ""]
# What a test sets, and what Axolotl's init adds.
ENVIRONMENT = {"NAME": "value", "EMPTY": "", "PATH": "/bin:/sbin:/usr/bin:/usr/sbin", "HOME": "/",
               "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}


def forget_signals():
    """What Axolotl starts a program with: no signal is blocked and none is ignored, whatever those
    who started this test block and ignore."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def run(command, environment=None):
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                env=environment, timeout=LIMIT_SECONDS, check=False,
                                preexec_fn=forget_signals)
    except subprocess.TimeoutExpired as end:
        text = (end.stdout or b"").decode(errors="replace")
        return f"{text}FAILED: did not end within {LIMIT_SECONDS} s\n", None
    code = result.returncode
    return result.stdout.decode(errors="replace"), code if code >= 0 else 128 - code


def differences(name, text, status, wanted_text, wanted_status):
    if status != wanted_status:
        yield f"{name}: ended with {status}, not {wanted_status}"
    if text != wanted_text:
        yield f"{name}: printed\n{text}--- where others printed\n{wanted_text}---"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--status", type=int, required=True)
    parser.add_argument("--run", action="append", default=[])
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()

    complaints, wanted = [], None
    for program in options.programs:
        text, status = run([program] + ARGUMENTS, ENVIRONMENT)
        wanted = text if wanted is None else wanted
        complaints += differences(program, text, status, wanted, options.status)
        if any(line.startswith("FAILED") for line in text.splitlines()):
            complaints.append(f"{program}: {text}")
    for command in options.run:
        for program in options.programs:
            words = [word.replace("{}", program) for word in shlex.split(command)]
            name = f"{command}, {program}"
            complaints += differences(name, *run(words + ARGUMENTS), wanted, options.status)
    for complaint in complaints:
        print(complaint)
    print(f"{len(options.programs) * (1 + len(options.run))} runs compared")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
