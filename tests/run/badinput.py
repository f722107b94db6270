#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run and input that is wrong. For any machine; see runs.py."""

import os
import resource

import runs
from runs import RunTest


class BadInput(RunTest):
    def bad(self, *options, says, **more):
        self.fails(*options, "--", "probe", "hello", says=says, **more)

    def test_numbers(self):
        for cpus in ("0", "100", "65", "-1", "x", "", "1x", "99999999999999999999"):
            self.bad("--cpus", cpus, says=f'--cpus takes a number from 1 to 64, not "{cpus}"')
        for size in ("x", "", "-1M", "64X", "64MM", "M", "1.5G", "99999999999999999999"):
            self.bad("--memory", size,
                     says=f'--memory takes a size such as 64M (or K, G), not "{size}"')
        for size in ("0", "1", "7M", "8191K"):
            self.bad("--memory", size, says=f"--memory {size} is too little: at least 8 M")
        for size in ("16385G", "18446744073709551615", "18446744073709551615G"):
            self.bad("--memory", size, says=f"--memory {size} is too much: at most 16384 G")
        for time in ("0", "0.0", "-1", "x", "", "1.5s", "1,5", "inf", "1e3", "99999999999"):
            self.bad("--timeout", time, says="--timeout takes seconds")
        for seed in ("x", "-1", "", "18446744073709551616", "0x10"):
            self.bad("--seed", seed, says="--seed takes a number of up to 64 bits")

    def test_files(self):
        self.bad("--file", "nothing=/x", says="nothing cannot be read: No such file or directory")
        for text in ("", "x", "=/x", "x=y", "/x", "x="):
            self.bad("--file", text, says=f'--file takes HOST=/PATH, not "{text}"')
        self.bad("--file", "/dev/null=/x",
                 says="/dev/null is neither a file nor a folder nor a link")
        self.write("file")
        self.bad("--file", "file=/a/../b", says="/a/../b")
        self.bad("--file", "file=/x", "--file", "file=/x/y",
                 says="/x would be a folder and something else")
        (self.folder / "loop").symlink_to("loop")
        self.bad("--file", "loop=/x", says="loop cannot be read: ")

    def test_gets(self):
        for text in ("", "x", "/x", "/x=", "x=/y", "=x"):
            self.bad("--get", text, says=f'--get takes /PATH=HOST, not "{text}"')
        self.bad("--get", "/x=no/such/folder",
                 says="no/such/folder cannot be written: No such file")

    def test_texts(self):
        for text in ("", "=", "=x"):
            self.bad("--env", text, says=f'--env takes K=V or K, not "{text}"')
        for text in ("", "tmp", "./x"):
            self.bad("--cwd", text, says="--cwd takes a folder of the machine")
        self.fails("--", "", says="PROGRAM is empty")

    def test_output_that_cannot_be(self):
        for option in ("--status", "--trace"):
            self.bad(option, "", says=f"{option} takes the name of a file, which is empty")
            self.bad(option, "no/such", says="no/such cannot be written: No such file")
            self.bad(option, ".", says=". cannot be written: it is a folder")
            self.bad(option, "/proc/nothing", says="/proc/nothing cannot be written: ")

    def test_a_fifo_that_nobody_reads(self):
        """Refused after a moment, in which its reader may still come."""
        os.mkfifo(self.folder / "fifo")
        for option in ("--status", "--trace"):
            self.bad(option, "fifo", says="fifo cannot be written: it is a pipe that nobody reads: "
                                          "start its reader first")
        self.write("in")
        status, out, err = self.probe("hello", options=("--file", "in=/f", "--get", "/f=fifo"))
        self.assertEqual((status, out), (0, b"hello\n"))
        self.assertEqual(err, b"scripts/run: fifo cannot be written: it is a pipe that nobody "
                              b"reads: start its reader first\n")

    def test_a_fifo_whose_reader_comes_late(self):
        os.mkfifo(self.folder / "fifo")
        run = self.start("--trace", "fifo", "--", "probe", "hello")
        with open(self.folder / "fifo", "rb") as fifo:
            self.assertTrue(fifo.read())
        self.assertEqual(run.finish(), (0, b"hello\n", b""))

    def test_the_line_itself(self):
        self.bad("--frobnicate", says="--frobnicate is no option, or takes no value; try --help")
        self.bad("--quiet=yes", says="--quiet=yes is no option, or takes no value; try --help")
        self.fails("--cpus", says="--cpus needs something behind it; try --help")
        self.fails("probe", says="what is probe? PROGRAM comes behind --")
        self.bad("--quiet", "--verbose", says="--quiet and --verbose contradict each other")
        self.bad("--native", says="--native: the native machine is not built yet")
        self.bad("--seed", "1", "--cpus", "2", says="--seed needs --cpus 1")
        self.bad(*["--env", "LONG"] * 30, environment={"LONG": "x" * 100000},
                 says="the command line is too long: ")

    def test_what_to_boot(self):
        self.bad("--root", "nothing", says="nothing cannot be opened: No such file")
        self.bad("--image", "nothing", says="nothing cannot be opened: No such file")
        self.bad("--kernel", "/nothing", says="/nothing cannot be started: No such file")
        kernel = self.write("kernel", b"x", 0o644)
        self.bad("--kernel", kernel, says=f"{kernel} cannot be started: Permission denied")

    def test_limits(self):
        def lower(limit, value):
            return lambda: resource.setrlimit(limit, (value, value))
        self.bad(says="the limit of open files is 20, at least 64 are needed: ulimit -n",
                 preexec_fn=lower(resource.RLIMIT_NOFILE, 20))
        self.write("large", b"x" * 300000)
        self.bad("--file", "large=/x", says="cannot be written: File too large",
                 preexec_fn=lower(resource.RLIMIT_FSIZE, 100000))

    def test_status_tells_of_it_too(self):
        for options, reason in ((("--cpus", "0"), '--cpus takes a number from 1 to 64, not "0"'),
                                (("--kernel", "/nothing"),
                                 "/nothing cannot be started: No such file or directory")):
            self.write("status", b"old")
            self.bad(*options, "--status", "status", "--get", "/x=y", says=reason)
            self.status_is(end="machine-failed", status=125, code=None, signal=None, reason=reason)
            self.assertEqual([get["path"] for get in self.status()["get"]], ["/x"])


class Help(RunTest):
    def test_help(self):
        status, out, err = self.run_it("--help", probe=False)
        self.assertEqual((status, err), (0, b""))
        text = out.decode()
        self.assertTrue(text.startswith("Usage: scripts/run "), text)
        self.assertLess(max(map(len, text.splitlines())), 105)
        for option in ("native cpus memory seed file get env cwd timeout status trace quiet "
                       "verbose help kernel root image lock").split():
            self.assertIn(f"      --{option} ", text)

    def test_every_member_of_the_status_is_described(self):
        self.probe("hello", options=("--status", "status"))
        text = self.run_it("--help", probe=False)[1].decode()
        for name in self.status():
            self.assertIn(f'  "{name}" ', text)


if __name__ == "__main__":
    runs.main()
