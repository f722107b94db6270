#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run and a machine that does wrong: for the fake machine alone (fake.h)."""

import os
import signal

import runs
from runs import RunTest


class Faults(RunTest):
    def dies(self, fake, reason, *options):
        """One line, and the status tells the same."""
        self.write("status")
        self.fails("--status", "status", *options, "--", "probe", "hello", fake=fake, says=reason)
        self.status_is(end="machine-failed", status=125, code=None, signal=None, reason=reason)

    def test_a_machine_that_says_why_it_fails(self):
        self.dies("complain:64 MiB of memory cannot be had", "64 MiB of memory cannot be had")
        self.dies("halt:1", "supervisor: the manifest is damaged")
        self.dies("halt:0", "supervisor: the manifest is damaged")

    def test_a_host_that_refuses_a_process(self):
        """Before there is a program: nothing comes of such a machine."""
        reason = "the host refuses a process for an address space: (ulimit -u)"
        self.dies(f"refuse:{reason}", reason)

    def test_a_host_that_refuses_the_programs(self):
        reason = "the host refuses a process for an address space: (ulimit -u)"
        status, _, err = self.probe("signal", 9, fake=f"refuse-later:{reason}",
                                    options=("--status", "status"))
        self.assertEqual((status, err.decode()), (125, f"scripts/run: {reason}\n"))
        self.status_is(end="machine-failed", status=125, reason=reason)

    def test_a_machine_that_says_nothing(self):
        self.dies("mute:3", "the machine ended without a word, with status 3")

    def test_last_lines_of_one_that_crashes(self):
        status, _, err = self.probe("hello", fake="abort")
        self.assertEqual(status, 125)
        lines = err.decode().splitlines()
        self.assertEqual(lines[0], "scripts/run: the last lines of the kernel's log:")
        self.assertEqual(lines[1:21], [f"line {number}" for number in range(10, 30)])
        self.assertEqual(lines[21:], ["scripts/run: the machine failed: its kernel process was "
                                      "ended by signal 6 (Aborted)"])

    def test_messages_that_are_none(self):
        status, _, err = self.probe("plain", fake="garbage", options=("--status", "status"))
        self.assertEqual(status, 125)
        self.assertIn(b"scripts/run: the machine sent a message that is of no kind", err)
        self.status_is(end="machine-failed")

    def test_an_end_without_a_reason(self):
        status, out, err = self.probe("hello", fake="no-end")
        self.assertEqual((status, out), (125, b"hello\n"))
        self.assertIn(b"the machine did not say how PROGRAM ended", err)

    def test_more_after_the_end(self):
        status, _, err = self.probe("hello", fake="chatter")
        self.assertEqual(status, 125)
        self.assertIn(b"the machine went on after it had said that all was done", err)

    def test_one_that_stays_after_the_end(self):
        status, out, err = self.probe("hello", fake="linger")
        self.assertEqual((status, out, err), (0, b"hello\n", b""))

    def test_one_whose_trace_is_not_taken(self):
        """Whoever reads it takes too long in the end: it is not complete, and that is told."""
        os.mkfifo(self.folder / "fifo")
        run = self.start("--trace", "fifo", "--", "probe", "hello", fake="linger")
        with open(self.folder / "fifo", "rb"):
            self.assertEqual(run.finish(), (
                125, b"hello\n", b"scripts/run: fifo is not complete: the machine was still "
                                 b"writing it 5 s after its end\n"))

    def test_one_that_does_not_answer(self):
        status, _, err = self.probe("hello", options=("--timeout", "0.1", "--status", "status"),
                                    fake="hang")
        self.assertEqual(status, 124)
        self.assertEqual(err.decode().splitlines(), [
            "scripts/run: the machine does not answer, so there is no report of its threads",
            "scripts/run: the last lines of the kernel's log:", "hanging",
            "scripts/run: the time was up, so the machine was ended"])
        self.status_is(end="timeout", code=None,
                       reason="the machine did not end within 5 s of being asked to")

    def test_time_counts_while_only_the_machine_is_stopped(self):
        run = self.start("--verbose", "--timeout", "1", "--", "probe", "hello", fake="hang")
        run.read_until(b"hanging\n", run.process.stderr)
        kernel = [pid for pid in run.pids() if runs.process_stat(pid)[1] == run.process.pid]
        os.kill(kernel[0], signal.SIGSTOP)
        self.assertEqual(run.process.wait(runs.PATIENCE), 124)
        runs.await_state(kernel, "ZX")

    def test_interrupted_twice_before_there_is_a_program(self):
        run = self.start("--verbose", "--", "probe", "hello", fake="hang")
        run.read_until(b"hanging\n", run.process.stderr)
        run.signal(signal.SIGINT)
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish()[0], 130)


class Log(RunTest):
    def test_nothing_of_it_is_shown(self):
        for fake in ("log:booting", "flood", "note"):
            self.assertEqual(self.succeeds("hello", fake=fake), b"hello\n")

    def test_verbose(self):
        for fake, text in (("log:booting", "booting\n"), ("flood", "line 19999 of many\n"),
                           ("note", "scripts/run: unknown call 999: 3 times\n")):
            status, out, err = self.probe("hello", options=("--verbose",), fake=fake)
            self.assertEqual((status, out), (0, b"hello\n"))
            self.assertTrue(err.decode().endswith(text), err[-100:])

    def test_what_a_terminal_would_obey(self):
        hostile, plain = "up \033[31m\x9b2J\x7f\ta\u00e9\r", "up ?[31m??2J?\ta\u00e9?"
        err = self.probe("hello", options=("--verbose",), fake=f"log:{hostile}")[2]
        self.assertTrue(err.decode().endswith(f"{plain}\n"), err)
        err = self.probe("hello", fake=f"warn:{hostile}")[2]
        self.assertEqual(err.decode(), f"scripts/run: {plain}\n")
        status, _, err = self.probe("hello", options=("--timeout", "0.1"), fake=f"hang:{hostile}")
        self.assertEqual(status, 124)
        self.assertEqual(err.decode().splitlines()[2], plain)

    def test_complaints_are_for_people(self):
        for options in ((), ("--quiet",)):
            status, out, err = self.probe("hello", options=options,
                                          fake="warn:cannot write stdout: No space left on device")
            self.assertEqual((status, out), (0, b"hello\n"))
            self.assertEqual(err, b"scripts/run: cannot write stdout: No space left on device\n")

    def test_what_the_kernel_is_told(self):
        def told(*options, **more):
            return self.probe("hello", options=("--verbose", *options), fake="describe", **more)[2]
        self.assertEqual(told(), b"cpus 1 memory 268435456 seed -\n")
        self.assertEqual(told("--cpus", 4, "--memory", "64M"),
                         b"cpus 4 memory 67108864 seed -\n")
        self.assertEqual(told("--memory", "16777217"), b"cpus 1 memory 16777216 seed -\n")
        self.assertEqual(told("--memory", "2G", "--cpus", 64),
                         b"cpus 64 memory 2147483648 seed -\n")
        self.assertEqual(told("--seed", "18446744073709551615"),
                         b"cpus 1 memory 268435456 seed 18446744073709551615\n")

    def test_trace(self):
        self.succeeds("hello", options=("--trace", "trace"))
        self.assertEqual((self.folder / "trace").read_bytes(), b"traced\n")
        self.probe("hello", options=("--trace", "trace"), fake="mute:1")
        self.assertEqual(self.files(), ["trace"])  # what there is of it, also after failure

    def test_seed_reads_the_input_first(self):
        read, write = os.pipe()
        run = self.start("--seed", "7", "--verbose", "--", "probe", "cat", stdin=read,
                         fake="log:booting")
        os.close(read)
        os.write(write, b"first ")
        os.write(write, b"second")
        self.assertNotIn("fake_machine", self.names(run))
        os.close(write)
        self.assertEqual(run.finish()[:2], (0, b"first second"))

    @staticmethod
    def names(run):
        return [os.path.basename(os.readlink(f"/proc/{pid}/exe")) for pid in run.pids()]


class HostileFiles(RunTest):
    def get(self, fake):
        return self.probe("hello", options=("--get", "/x=out", "--status", "status"), fake=fake)

    def test_not_through_a_link(self):
        (self.folder / "precious").mkdir()
        status, _, err = self.get(f"get-through-link:{self.folder}/precious")
        self.assertEqual(status, 0)
        self.assertIn(b"out/out/file cannot be written: ", err)
        self.assertEqual(os.listdir(self.folder / "precious"), [])

    def test_no_link_where_a_file_should_be(self):
        _, _, err = self.get("get-link")
        self.assertEqual(err, b"scripts/run: /x is a link\n")
        self.assertEqual(self.files(), ["status"])

    def test_no_more_rights_than_rwx(self):
        status, _, err = self.get("get-setuid")
        self.assertEqual((status, err), (0, b""))
        self.assertEqual(self.mode_of("out"), 0o755)

    def test_no_devices(self):
        status, _, err = self.get("get-device")
        self.assertEqual(status, 0)
        self.assertIn(b"/x has something in it that is no file, folder or link", err)
        self.assertEqual(self.files(), ["status"])

    def test_a_part_that_cannot_be_read(self):
        status, _, err = self.get("get-error")
        self.assertEqual(status, 0)
        self.assertEqual(err, b"scripts/run: /x/bad cannot be read: Input/output error\n")
        self.assertEqual((self.folder / "out/good").read_bytes(), b"good")

    def test_not_whole(self):
        _, _, err = self.get("get-less")
        self.assertEqual(err, b"scripts/run: /x changed while it was read\n")
        self.assertEqual(self.files(), ["status"])

    def test_more_than_there_is(self):
        status, _, err = self.get("get-more")
        self.assertEqual(status, 125)
        self.assertIn(b"the machine sent more of /x than there is", err)
        self.assertEqual(self.files(), ["status"])

    def test_files_nobody_asked_for(self):
        status, _, err = self.get("get-other")
        self.assertEqual(status, 125)
        self.assertIn(b"the machine sent a file that nobody waits for", err)

    def test_death_on_the_way(self):
        self.write("in", os.urandom(200000))
        status, _, err = self.probe("hello", options=("--file", "in=/x", "--get", "/x=out"),
                                    fake="die-in-get")
        self.assertEqual(status, 125)
        self.assertIn(b"/x was not brought back: the machine failed", err)
        self.assertEqual(self.files(), ["in"])


if __name__ == "__main__":
    runs.main()
