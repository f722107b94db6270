#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run at a terminal. For any machine; see runs.py."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios

import runs
from runs import RunTest


class Terminal(RunTest):
    def setUp(self):
        super().setUp()
        self.outside, self.inside = pty.openpty()
        for fd in (self.outside, self.inside):
            self.addCleanup(self.close, fd)
        self.resize(80, 24)
        self.before = termios.tcgetattr(self.inside)

    @staticmethod
    def close(fd):
        try:
            os.close(fd)
        except OSError:
            pass

    def resize(self, columns, rows):
        fcntl.ioctl(self.outside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def controlling(self):
        """In the child: the terminal is its session's, and it is in the foreground."""
        fcntl.ioctl(self.inside, termios.TIOCSCTTY, 0)

    def at_terminal(self, *arguments, **options):
        streams = {"stdin": self.inside, "stdout": self.inside, "stderr": self.inside} | options
        return self.start(*arguments, preexec_fn=self.controlling, pass_fds=[self.inside],
                          **streams)

    def read_until(self, text):
        got = b""
        while text not in got:
            ready, _, _ = select.select([self.outside], [], [], runs.PATIENCE)
            self.assertTrue(ready, f"{text} does not come, only {got}")
            got += os.read(self.outside, 1)
        return got

    def type(self, keys):
        os.write(self.outside, keys)

    def is_raw(self):
        return not termios.tcgetattr(self.inside)[3] & (termios.ICANON | termios.ISIG)

    def ends(self, run, status):
        self.assertEqual(run.process.wait(runs.PATIENCE), status)
        self.assertEqual(termios.tcgetattr(self.inside), self.before)
        self.assertEqual(run.pids(), [])

    def test_all_are_terminals(self):
        run = self.at_terminal("--", "probe", "terminals")
        self.read_until(b"111\r\n")
        self.ends(run, 0)

    def test_each_of_them_alone(self):
        names = ("stdin", "stdout", "stderr")
        others = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                  "stderr": subprocess.PIPE}
        for number, name in enumerate(names):
            with self.subTest(name=name):
                wanted = "".join("01"[number == other] for other in range(3)).encode()
                out = 2 if name == "stdout" else 1
                run = self.at_terminal("--", "probe", "terminals", out,
                                       **{other: others[other] for other in names if other != name})
                stream = run.process.stderr if out == 2 else run.process.stdout
                run.read_until(wanted + b"\n", stream)
                self.ends(run, 0)

    def test_line_ends_are_made_once(self):
        run = self.at_terminal("--", "probe", "both")
        self.assertEqual(self.read_until(b"to stderr\r\n"), b"to stdout\r\nto stderr\r\n")
        self.ends(run, 0)

    def test_keys_are_the_programs(self):
        run = self.at_terminal("--", "probe", "keys")
        self.read_until(b"ready ")
        self.assertTrue(self.is_raw())
        self.type(b"a\r\n\x03\x04\x1a\x1c\x11\x13\x7f\xc3\xa4q")
        self.assertEqual(self.read_until(b"<71>"),
                         b"<61><0d><0a><03><04><1a><1c><11><13><7f><c3><a4><71>")
        self.ends(run, 0)

    def test_control_a(self):
        run = self.at_terminal("--", "probe", "keys")
        self.read_until(b"ready ")
        self.type(b"\x01a-\x01\x01-\x01b-")
        self.type(b"\x01")
        self.type(b"aq")
        self.assertEqual(self.read_until(b"<71>"),
                         b"<01><2d><01><2d><01><62><2d><01><71>")
        self.ends(run, 0)

    def test_control_a_x_ends_the_machine(self):
        for what in ("keys", "wait", "defy"):
            with self.subTest(what=what):
                run = self.at_terminal("--status", "status", "--", "probe", what)
                self.read_until(b"ready")
                self.type(b"\x01")
                self.type(b"x")
                self.ends(run, 130)
                self.status_is(end="interrupted", status=130)

    def test_control_a_x_is_seen_when_nobody_reads(self):
        run = self.at_terminal("--", "probe", "plain")
        self.read_until(b"ready\r\n")
        for _ in range(200):
            self.type(b"x" * 1000)
        self.type(b"\x01x")
        self.ends(run, 130)

    def test_control_c_is_the_programs(self):
        run = self.at_terminal("--status", "status", "--", "probe", "plain")
        self.read_until(b"ready\r\n")
        self.type(b"\x03")
        self.ends(run, 130)
        self.status_is(end="signal", signal=signal.SIGINT)

    def test_control_c_without_input_from_the_terminal(self):
        read, write = os.pipe()
        run = self.at_terminal("--status", "status", "--", "probe", "wait", stdin=read)
        self.read_until(b"ready\r\n")
        self.type(b"\x03")
        self.ends(run, 130)
        self.status_is(end="interrupted", code=7)
        os.close(read)
        os.close(write)

    def test_end_of_input_is_the_programs(self):
        run = self.at_terminal("--", "probe", "cat")
        self.type(b"line\r")
        self.read_until(b"line\r\nline\r\n")
        self.type(b"\x04")
        self.ends(run, 0)

    def test_term_and_size(self):
        self.resize(132, 43)
        run = self.at_terminal("--", "probe", "environment", environment={"TERM": "vt220"})
        self.assertIn(b"TERM=vt220\r\n", self.read_until(b"TERM=vt220\r\n"))
        self.ends(run, 0)
        run = self.at_terminal("--env", "TERM=mine", "--", "probe", "environment",
                               environment={"TERM": "vt220"})
        self.assertNotIn(b"vt220", self.read_until(b"TERM=mine\r\n"))
        self.ends(run, 0)
        run = self.at_terminal("--", "probe", "sizes")
        self.read_until(b"132x43\r\n")
        self.resize(100, 30)
        self.read_until(b"100x30\r\n")
        self.type(b"\x01x")
        self.ends(run, 130)

    def test_restored_after_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(number=number):
                run = self.at_terminal("--", "probe", "plain")
                self.read_until(b"ready\r\n")
                run.signal(number)
                self.ends(run, 128 + number)

    def test_restored_after_the_kernel_process_was_killed(self):
        run = self.at_terminal("--", "probe", "plain")
        self.read_until(b"ready\r\n")
        kernel = [pid for pid in run.pids() if runs.process_stat(pid)[1] == run.process.pid]
        os.kill(kernel[0], signal.SIGKILL)
        self.read_until(b"its kernel process was ended by signal 9 (Killed)\r\n")
        self.ends(run, 125)

    def test_restored_after_a_bad_start(self):
        run = self.at_terminal("--kernel", "/nothing", "--", "probe", "hello")
        self.read_until(b"/nothing cannot be started: No such file or directory\r\n")
        self.ends(run, 125)

    def test_restored_after_a_timeout(self):
        run = self.at_terminal("--timeout", "0.3", "--", "probe", "plain")
        self.read_until(b"waits")
        self.ends(run, 124)

    def test_suspended_and_continued(self):
        run = self.at_terminal("--", "probe", "keys")
        self.read_until(b"ready ")
        pids = run.pids()
        run.signal(signal.SIGTSTP)
        os.waitid(os.P_PID, run.process.pid, os.WSTOPPED)
        self.assertEqual(termios.tcgetattr(self.inside), self.before)
        runs.await_state([pid for pid in pids if runs.process_stat(pid)[1] == run.process.pid], "T")
        self.resize(90, 20)
        run.signal(signal.SIGCONT)
        os.waitid(os.P_PID, run.process.pid, os.WCONTINUED)
        while not self.is_raw():
            os.sched_yield()
        self.type(b"\x03q")
        self.assertEqual(self.read_until(b"<71>"), b"<03><71>")
        self.ends(run, 0)

    def test_stopped_by_force_and_continued(self):
        run = self.at_terminal("--", "probe", "keys")
        self.read_until(b"ready ")
        run.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, run.process.pid, os.WSTOPPED)
        termios.tcsetattr(self.inside, termios.TCSANOW, self.before)  # as a shell does it
        run.signal(signal.SIGCONT)
        while not self.is_raw():
            os.sched_yield()
        self.type(b"\x03q")
        self.assertEqual(self.read_until(b"<71>"), b"<03><71>")
        self.ends(run, 0)

    def test_terminal_that_goes_away(self):
        run = self.at_terminal("--status", "status", "--", "probe", "plain")
        self.read_until(b"ready\r\n")
        os.close(self.outside)
        os.close(self.inside)
        self.assertEqual(run.process.wait(runs.PATIENCE), 128 + signal.SIGHUP)
        self.assertEqual(run.pids(), [])
        self.status_is(end="interrupted")

    def test_output_although_the_background_may_not_write(self):
        settings = termios.tcgetattr(self.inside)
        settings[3] |= termios.TOSTOP
        termios.tcsetattr(self.inside, termios.TCSANOW, settings)
        self.before = termios.tcgetattr(self.inside)
        run = self.at_terminal("--", "probe", "both")
        self.read_until(b"to stdout\r\nto stderr\r\n")
        self.ends(run, 0)

    def test_seed_refuses_a_terminal(self):
        run = self.at_terminal("--seed", "1", "--", "probe", "hello")
        self.read_until(b"stdin is a terminal: try < /dev/null\r\n")
        self.ends(run, 125)


if __name__ == "__main__":
    runs.main()
