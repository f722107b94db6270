#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The personality's image is what its place demands.

Usage: image.py PERSONALITY IMAGE

No variables, no relocations, nothing undefined, general registers only, no thread-local storage;
and the flat file begins with the header that the loader reads.
"""

import re
import struct
import subprocess
import sys

START = 0x7ffe3fff0000
MAGIC = 0x316f736f72707861
PARTS = (".header", ".text", ".rodata")

# Only these may name vector state at all, and they move all of it.
VECTOR_FUNCTIONS = {"access_save_vector", "access_load_vector"}
VECTOR = re.compile(r"%[xyz]?mm\d|%st\b|\b(f(x?save|x?rstor)|xsave|xrstor|f(ld|st|add)\w*)")


def run(*command):
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def check_symbols(program, complain):
    for line in run("nm", program).splitlines():
        kind, name = line.split()[-2:]
        if kind in "UwvBbC":
            complain(f"symbol {name} is of kind {kind}: undefined, or a variable")


def check_relocations(program, complain):
    if "no relocations" not in run("readelf", "-r", program):
        complain("there are relocations")


def check_sections(program, complain):
    for line in run("readelf", "-SW", program).splitlines():
        match = re.match(r"\s*\[\s*\d+\] (\.\S+)\s+\S+\s+([0-9a-f]{16}) \S+ (\S+)", line)
        if match and int(match[2], 16) != 0 and match[1] not in PARTS and int(match[3], 16) != 0:
            complain(f"section {match[1]} is in memory beside the image")


def check_instructions(program, complain):
    function = ""
    for line in run("objdump", "-d", "-j", ".text", "--no-show-raw-insn", program).splitlines():
        start = re.match(r"[0-9a-f]+ <([^>]+)>:", line)
        if start:
            function = start[1]
            continue
        instruction = line.partition("\t")[2]
        if function in VECTOR_FUNCTIONS:
            continue
        if VECTOR.search(instruction):
            complain(f"{function}: uses a vector register: {instruction}")
        if "%fs:" in instruction:
            complain(f"{function}: uses thread-local storage: {instruction}")
        if re.match(r"(syscall|sysenter|int )", instruction):
            complain(f"{function}: enters a kernel by itself: {instruction}")


def check_header(program, image, complain):
    with open(image, "rb") as file:
        content = file.read()
    names = {parts[2]: int(parts[0], 16)
             for parts in (line.split() for line in run("nm", program).splitlines())
             if len(parts) == 3}
    magic, size, start, entry, recovery, first, last, restart = struct.unpack_from("<8Q", content)
    if magic != MAGIC:
        complain(f"the magic number is {magic:#x}")
    if size != len(content):
        complain(f"the header says {size} bytes, the file has {len(content)}")
    for what, value, name in [
            ("start", start, "thread_starts"), ("entry", entry, "upcall_entry"),
            ("recovery", recovery, "recovery"), ("range_start", first, "range_start"),
            ("range_end", last, "range_end"), ("range_restart", restart, "range_restart")]:
        if value != names[name] or not START <= value < START + size:
            complain(f"{what} is {value:#x}")
    if not first < start < last or first <= restart < last or first <= recovery < last:
        complain("the marked range does not hold what it should")


def main(program, image):
    complaints = []
    for check in (check_symbols, check_relocations, check_sections, check_instructions):
        check(program, complaints.append)
    check_header(program, image, complaints.append)
    for complaint in complaints:
        print(complaint)
    print(f"figure: the personality has {len(open(image, 'rb').read())} bytes")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
