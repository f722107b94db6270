#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is told of programs and servers that crash, and of calls that are not there. See runs.py
(tests/run) for the arguments: PROBE is here the program `deep`, beside which the others lie."""

import os
import re
import subprocess
from pathlib import Path

import runs
from runs import RunTest

DEEP = runs.PROBE
THERE = ["inner", "middle", "outer"]


def names_of(report):
    """The functions of the backtrace, the innermost first, without what the compiler adds."""
    names = re.findall(r"^  #\d+ +0x[0-9a-f]+ ([^ +]+)\+0x[0-9a-f]+", report, re.MULTILINE)
    return [name.split(".")[0] for name in names]


class Reports(RunTest):
    def crash(self, *arguments, cpus=1, program=DEEP, options=(), **more):
        """(exit status, stderr)"""
        status, _, err = self.run_it(
            "--cpus", cpus, "--crashes", "crashes", "--file", f"{program}=/bin/{program.name}",
            *options, "--", program.name, *arguments, probe=False, **more)
        return status, err.decode()

    def kept(self):
        folder = self.folder / "crashes"
        return [path.read_text() for path in sorted(folder.iterdir())] if folder.exists() else []

    def addresses_of(self, report):
        return re.findall(r"^  #\d+ +0x([0-9a-f]+)", report, re.MULTILINE)

    def check(self, err, headline, functions):
        """One report, told and kept alike, with these functions in this order and all registers."""
        reports = self.kept()
        self.assertEqual(len(reports), 1, err)
        report = reports[0]
        (name,) = os.listdir(self.folder / "crashes")
        self.assertEqual(err, f"scripts/run: {report}scripts/run: the report is kept in "
                              f"crashes/{name}\n")
        self.assertEqual(report.splitlines()[0], headline)
        registers = dict(re.findall(r"\b(r[a-z0-9]+|fs) +([0-9a-f]{16})\b", report))
        self.assertEqual(set(registers), {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
                                          *(f"r{i}" for i in range(8, 16)), "rip", "rfl", "fs"})
        self.assertEqual(int(registers["rip"], 16), int(self.addresses_of(report)[0], 16))
        names = names_of(report)
        at = [names.index(function) for function in functions if function in names]
        self.assertEqual((len(at), at), (len(functions), sorted(at)), report)
        for path in (self.folder / "crashes").iterdir():
            path.unlink()
        return report

    WAYS = {
        "write": (139, "signal 11 (SIGSEGV): nothing is mapped at 0x1234 to be written"),
        "jump": (139, "signal 11 (SIGSEGV): nothing is mapped at 0x4321 to be executed"),
        "divide": (136, "signal 8 (SIGFPE): divide error"),
        "undefined": (132, "signal 4 (SIGILL): invalid instruction"),
        "abort": (134, "signal 6 (SIGABRT)"),
        "quit": (131, "signal 3 (SIGQUIT)"),
        "handler": (134, "signal 6 (SIGABRT)"),
    }

    def test_a_program(self):
        for cpus in (1, 2):
            for how, (wanted, reason) in self.WAYS.items():
                if cpus > 1 and how not in ("write", "abort"):
                    continue
                with self.subTest(how=how, cpus=cpus):
                    status, err = self.crash(how, cpus=cpus)
                    self.assertEqual(status, wanted)
                    before = ["handler"] if how == "handler" else []
                    report = self.check(err, f"deep was ended by {reason}",
                                        [*before, *THERE, "main"])
                    self.assertEqual("(interrupted by the signal)" in report, how == "handler")

    def test_the_innermost_is_first(self):
        for how in ("write", "divide", "undefined"):
            report = self.check(self.crash(how)[1], f"deep was ended by {self.WAYS[how][1]}", THERE)
            self.assertEqual(names_of(report)[:4], [*THERE, "main"])

    def test_a_thread(self):
        for cpus in (1, 2):
            status, err = self.crash("write", "thread", cpus=cpus)
            self.assertEqual(status, 139)
            report = self.check(err, f"deep was ended by {self.WAYS['write'][1]}",
                                [*THERE, "thread"])
            self.assertIn("registers of thread 3:", report)

    def test_a_stack_that_ends(self):
        status, err = self.crash("overflow")
        self.assertEqual(status, 139)
        self.assertRegex(err, r"nothing is mapped at 0x[0-9a-f]+ to be written")
        self.assertEqual(set(names_of(err)), {"inner"})
        self.assertIn("\n  ...\n", err)

    def test_other_builds(self):
        for name in ("deep.pie", "deep.musl"):
            for how in ("write", "jump", "abort", "handler"):
                with self.subTest(name=name, how=how):
                    status, err = self.crash(how, program=DEEP.parent / name)
                    self.assertEqual(status, self.WAYS[how][0])
                    # main may have become a part of whoever calls it.
                    report = self.check(err, f"{name} was ended by {self.WAYS[how][1]}", THERE)
                    # There are none for musl's own code, nor for where nothing is.
                    if how != "jump":
                        self.assertEqual("(a guess)" in report, name == "deep.musl", report)

    def test_addr2line_tells_the_line(self):
        report = self.check(self.crash("write")[1], f"deep was ended by {self.WAYS['write'][1]}",
                            THERE)
        line = subprocess.run(["addr2line", "-e", DEEP, "0x" + self.addresses_of(report)[0]],
                              capture_output=True, text=True, check=True).stdout
        file, number = line.strip().split(":")
        self.assertIn("0x1234", Path(file).read_text().splitlines()[int(number.split()[0]) - 1])

    def test_without_symbols(self):
        _, with_names = self.crash("write")
        status, without = self.crash("write", program=DEEP.parent / "stripped")
        self.assertEqual(status, 139)
        self.assertEqual(names_of(without), [])
        self.assertGreater(len(self.addresses_of(without)), 4)
        self.assertEqual(self.addresses_of(without), self.addresses_of(with_names))

    def test_what_is_no_crash(self):
        for how, wanted in (("term", 143), ("none", 2)):
            arguments = [how] if how == "term" else []
            self.assertEqual(self.crash(*arguments), (wanted, ""))
        self.assertEqual(self.kept(), [])

    def test_quiet(self):
        self.assertEqual(self.crash("write", options=["--quiet"]), (139, ""))
        self.assertEqual(len(self.kept()), 1)

    def test_a_folder_that_cannot_be_written(self):
        (self.folder / "crashes").write_text("a file")
        status, err = self.crash("write")
        self.assertEqual(status, 139)
        self.assertEqual([name for name in names_of(err) if name in THERE], THERE)
        self.assertRegex(err.splitlines()[-1],
                         "^scripts/run: the report is not kept: crashes/.* cannot be written: "
                         "Not a directory$")
        status, err = self.crash("write", options=["--crashes", "no/such/folder"])
        self.assertEqual((status, err.splitlines()[-1]), (
            139, "scripts/run: the report is not kept: no/such/folder cannot be made: No such file "
                 "or directory"))
        self.assertEqual(self.files(), ["crashes"])

    def test_only_the_newest_are_kept(self):
        for i in range(40):
            self.write(f"crashes/20000101-0000{i:02}-1.0-old.txt")
        self.write("crashes/other.txt")
        self.crash("write")
        names = sorted(os.listdir(self.folder / "crashes"))
        self.assertEqual((names[0], names[-1], len(names)),
                         ("20000101-000009-1.0-old.txt", "other.txt", 33))

    def test_reports_that_are_forged(self):
        status, err = self.crash(program=DEEP.parent / "forger")
        self.assertEqual(status, 0)
        self.assertEqual(self.files(), ["crashes"])
        names = os.listdir(self.folder / "crashes")
        self.assertEqual(len(names), 16)
        for name in names:
            self.assertRegex(name, r"^\d{8}-\d{6}-\d+\.\d+-(.._.._up_and__.31maway|forged\d+)"
                                   r"\.txt$")
        for text in (err, *self.kept()):
            self.assertNotRegex(text, "[\0-\x08\x0b-\x1f\x7f-\x9f]")
        self.assertIn("  ?[2Jr 0000000000000001  ??2Jr 0000000000000002\n  ?r ", err)
        self.assertEqual(err.count("  registers of "), 8)
        self.assertIn("\n  and more threads\n", err)
        self.assertIn("there are more crashes than 16: the others are not reported", err)


class Servers(RunTest):
    def run_beside(self, image, cpus, reports):
        """Runs a program until so many reports are told; then it ends as it would anyhow."""
        run = self.start("--cpus", cpus, "--crashes", "crashes", "--image",
                         runs.IMAGE.parent / image, "--file", f"{DEEP}=/bin/deep", "--", "deep",
                         "cat", probe=False, stdin=subprocess.PIPE)
        run.read_until(b"ready\n")
        err = b""
        for _ in range(reports):
            err += run.read_until(b"the report is kept in ", run.process.stderr)
        status, out, rest = run.finish(b"")
        self.assertEqual((status, out), (0, b""))
        return (err + rest).decode()

    def check(self, image, cpus, reports, headline, threads=1):
        with self.subTest(image=image, cpus=cpus):
            err = self.run_beside(image, cpus, reports)
            folder = self.folder / "crashes"
            texts = [path.read_text() for path in sorted(folder.iterdir())]
            self.assertEqual(len(texts), reports, err)
            for number, text in enumerate(texts, 1):
                self.assertEqual(text.splitlines()[0], headline.format(number))
                self.assertIn("\n  program /bin/fragile\n", text)
                self.assertEqual(names_of(text)[:4], ["inner", "middle", "outer", "main"], text)
                self.assertEqual(text.count("  registers of "), threads, text)
                self.assertIn(text, err)
            for path in folder.iterdir():
                path.unlink()

    def test_a_server_that_faults(self):
        for cpus in (1, 2):
            self.check("fragile.image", cpus, 2, "server fragile, instance {} was ended by signal "
                       "11 (SIGSEGV): nothing is mapped at 0x5678 to be written")

    def test_a_server_that_hangs(self):
        for cpus in (1, 2):
            self.check("hanging.image", cpus, 1, "server fragile, instance {} hung, and was ended",
                       threads=4)


class Unknown(RunTest):
    def told(self, *options):
        program = DEEP.parent / "unknown"
        status, out, err = self.run_it(*options, "--file", f"{program}=/bin/unknown", "--",
                                       "unknown", probe=False)
        self.assertEqual((status, out), (0, b"none of them\n"))
        return err.decode()

    def test_calls_that_are_not_there(self):
        for cpus in (1, 2):
            err = self.told("--cpus", cpus, "--verbose")
            for call, times in (("206 (io_setup)", "3 times"), ("452", "1 time"),
                                ("512 or above", "2 times")):
                self.assertIn(f"scripts/run: unknown: Linux call {call} is not there, or not in "
                              f"this way: made {times}\n", err)
        self.assertEqual(self.told(), "")

    def test_the_log_comes_in_whole_lines(self):
        for line in self.told("--verbose").splitlines():
            self.assertRegex(line, "^(axolotl|scripts/run): ")


if __name__ == "__main__":
    runs.main()
