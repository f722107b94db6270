#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""axolotl-root: what it makes is what abi/root.h says, and holds what the program holds.

Usage: root.py AXOLOTL_ROOT SAMPLE_PROGRAM STATIC_LIBC_PROGRAM STATIC_PIE_PROGRAM
"""

import struct
import sys
from pathlib import Path

import common

PAGE = 4096
READ, WRITE, EXECUTE = 1, 2, 4
HEADER = struct.Struct("<8sQQ")
SEGMENT = struct.Struct("<5Q")


def program_headers(elf):
    """(flags, offset, address, file bytes, memory bytes) of each segment to load."""
    start, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for number in range(count):
        kind, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, start + number * size)
        if kind == 1:
            yield flags, offset, address, in_file, in_memory


class Root(common.ToolTest):
    def setUp(self):
        super().setUp()
        self.elf = bytearray(Path(sys.argv[2]).read_bytes())

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def make(self, elf):
        self.succeeds(elf, "-o", "image")
        return (self.folder / "image").read_bytes()

    def test_image_holds_the_program(self):
        image = self.make(sys.argv[2])
        magic, entry, count = HEADER.unpack_from(image)
        self.assertEqual(magic, b"ax-root1")
        self.assertEqual(entry, struct.unpack_from("<Q", self.elf, 24)[0])
        self.assertEqual(len(image) % PAGE, 0)
        wanted = list(program_headers(self.elf))
        self.assertEqual(count, len(wanted))
        for number, (flags, offset, address, in_file, in_memory) in enumerate(wanted):
            place, at, file_bytes, size, prot = SEGMENT.unpack_from(
                image, HEADER.size + number * SEGMENT.size)
            lead = address % PAGE
            self.assertEqual((place, at % PAGE), (address - lead, 0))
            self.assertLessEqual(at + file_bytes, len(image))
            self.assertLessEqual(file_bytes, size)
            self.assertGreaterEqual(size, lead + in_memory)
            self.assertEqual(prot & EXECUTE != 0, flags & 1 != 0)
            self.assertEqual(prot & WRITE != 0, flags & 2 != 0)
            if in_file:
                self.assertEqual(file_bytes, lead + in_file)
                self.assertEqual(image[at + lead:at + file_bytes],
                                 self.elf[offset:offset + in_file])
        self.assertTrue(any(in_file < in_memory for *_, in_file, in_memory in wanted))

    def test_same_program_same_bytes(self):
        first = self.make(sys.argv[2])
        (self.folder / "other").mkdir()
        copy = self.write("other/name", self.elf)
        self.assertEqual(self.make(copy), first)

    def test_output_can_be_a_pipe(self):
        image = self.make(sys.argv[2])
        self.assertEqual(self.succeeds(sys.argv[2], "-o", "/dev/stdout"), image)

    def refuses(self, at, patch, says):
        damaged = bytearray(self.elf)
        damaged[at:at + len(patch)] = patch
        self.fails(self.write("damaged", damaged), "-o", "image", says=f"damaged {says}")

    def test_damaged_programs_are_refused_with_the_reason(self):
        headers, = struct.unpack_from("<Q", self.elf, 32)
        self.refuses(0, b"#!/bin/sh", "is not a program")
        self.refuses(4, b"\x01", "is not a 64-bit")
        self.refuses(18, b"\xb7\x00", "is a program for another machine")
        self.refuses(24, bytes(8), "is damaged: its entry point")
        self.refuses(headers + 4, b"\x07", "has a segment that is both writable and executable")
        for size in (0, 3, 63, 64, len(self.elf) // 2):
            path = self.write("damaged", self.elf[:size])
            self.fails(path, "-o", "image", says="damaged is t")  # too short, truncated

    def test_programs_that_are_none_for_it(self):
        self.fails(sys.argv[3], "-o", "image", says="has thread-local variables")
        self.fails(sys.argv[4], "-o", "image", says="is position-independent")
        self.fails(sys.executable, "-o", "image", says="needs an interpreter")

    def test_files_that_cannot_be_read(self):
        self.fails("missing", "-o", "image", says="missing cannot be opened: No such file")
        self.fails(self.folder, "-o", "image", says="is no regular file")

    def test_files_that_cannot_be_written(self):
        self.fails(sys.argv[2], "-o", "no/such/folder",
                   says="no/such/folder cannot be made: No such file")
        self.fails(sys.argv[2], "-o", "/dev/full",
                   says="/dev/full cannot be written: No space left on device")
        self.write("image", b"old")
        limit = ["prlimit", "--fsize=5000", self.tool, sys.argv[2], "-o", "image"]
        tool, self.tool = self.tool, limit.pop(0)
        self.fails(*limit, says="image cannot be written: File too large")
        self.tool = tool
        self.assertEqual((self.folder / "image").read_bytes(), b"old")

    def test_command_line(self):
        self.helps()
        self.fails(code=2, says="it takes one program")
        self.fails("a", "b", "-o", "c", code=2, says="it takes one program")
        self.fails("a", code=2, says="where to write the image?")
        self.fails("--frobnicate", code=2, says="--frobnicate")


if __name__ == "__main__":
    common.main(Root)
