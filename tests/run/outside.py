#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run: streams, exit statuses, signals, files. For any machine; see runs.py."""

import hashlib
import os
import select
import signal
import subprocess
import threading
import time

import runs
from runs import QUICK, RunTest


class Statuses(RunTest):
    def test_hello(self):
        self.assertEqual(self.succeeds("hello"), b"hello\n")

    def test_exit_status_is_the_programs(self):
        for code in (0, 1, 7, 124, 125, 126, 127, 128, 137, 255):
            with self.subTest(code=code):
                status, out, err = self.probe("exit", code, options=("--status", "status"))
                self.assertEqual((status, out, err), (code, b"", b""))
                self.status_is(end="exit", status=code, code=code, signal=None, reason=None)

    def test_signals_are_told(self):
        for number in (signal.SIGHUP, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            with self.subTest(number=number):
                status, _, _ = self.probe("signal", int(number), options=("--status", "status"))
                self.assertEqual(status, 128 + number)
                self.status_is(end="signal", status=status, code=None, signal=number)

    def test_not_found(self):
        self.fails("--status", "status", "--", "nothing", status=127,
                   says="nothing was not found", **self.keeps_status())
        self.status_is(end="not-found", status=127, code=None, signal=None)
        self.fails("--", "/bin/nothing", status=127, says="/bin/nothing was not found")

    def test_not_executable(self):
        plain, text = self.write("plain", b"x", 0o644), self.write("text", b"no program", 0o755)
        self.fails("--file", f"{plain}=/bin/plain", "--status", "status", "--", "plain", status=126,
                   says="plain cannot be executed: Permission denied", **self.keeps_status())
        self.status_is(end="not-executable", status=126, code=None, signal=None)
        self.fails("--file", f"{text}=/bin/text", "--", "text", status=126,
                   says="text cannot be executed: ")
        self.fails("--", "/bin", status=126, says="/bin cannot be executed: ")

    def keeps_status(self):
        self.write("status")
        return {}

    def test_status_replaces_what_was_there(self):
        self.write("status", b"old" * 1000, 0o600)
        self.probe("exit", 3, options=("--status", "status"))
        self.status_is(status=3)
        self.assertEqual(self.files(), ["status"])

    def test_status_goes_where_a_link_points(self):
        self.write("real/file", b"old")
        (self.folder / "status").symlink_to("real/file")
        self.probe("exit", 3, options=("--status", "status"))
        self.assertTrue((self.folder / "status").is_symlink())
        self.assertEqual(self.status("real/file")["status"], 3)

    def test_status_to_a_pipe(self):
        _, out, _ = self.probe("exit", 3, options=("--status", "/dev/stderr"),
                               stderr=subprocess.STDOUT)
        self.assertIn(b'"status": 3', out)

    def test_how_long_it_took(self):
        self.probe("hello", options=("--status", "status"))
        self.assertGreater(self.status()["seconds"], 0)
        self.assertLess(self.status()["seconds"], runs.PATIENCE)

    def test_programs_arguments(self):
        wanted = ["a", "", "b c", "--cpus", "--", "new\nline", "\N{AXE}", "-x"]
        self.assertEqual(self.succeeds("arguments", *wanted).decode().removesuffix("\n"),
                         "\n".join(wanted))

    def environment(self, *options, **variables):
        text = self.succeeds("environment", options=options, environment=variables).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def test_environment(self):
        found = self.environment("--env", "A=1", "--env", "B=x=y", "--env", "C", "--env", "EMPTY=",
                                 "--env", "UNSET", C="from here", OTHER="secret", TERM="vt100")
        self.assertEqual({name: found.get(name) for name in "ABC"},
                         {"A": "1", "B": "x=y", "C": "from here"})
        self.assertEqual(found["EMPTY"], "")
        for name in ("UNSET", "OTHER", "TERM", "AX_TEST_MARK"):
            self.assertNotIn(name, found)

    def test_the_date_is_the_hosts(self):
        before = time.time_ns()
        dates = list(map(int, self.succeeds("date").split()))
        after = time.time_ns()
        for date in dates:
            self.assertGreater(date, before - 10**9)
            self.assertLess(date, after + 10**9)

    def test_directory(self):
        self.assertEqual(self.succeeds("directory", options=("--cwd", "/tmp")), b"/tmp\n")
        self.fails("--cwd", "/no/such", "--", "probe", "hello",
                   says="probe cannot be started: No such file")


class Streams(RunTest):
    def test_streams_do_not_mix(self):
        status, out, err = self.probe("both")
        self.assertEqual((status, out, err), (0, b"to stdout\n", b"to stderr\n"))

    def test_none_of_them_is_a_terminal(self):
        self.assertEqual(self.succeeds("terminals"), b"000\n")

    def test_end_of_file(self):
        self.assertEqual(self.succeeds("cat", data=b""), b"")
        self.assertEqual(self.succeeds("cat"), b"")  # /dev/null

    def test_bytes_arrive_as_they_are(self):
        everything = bytes(range(256)) * 300
        self.assertEqual(self.succeeds("cat", data=everything), everything)

    def test_files_as_streams(self):
        content = os.urandom(300000)
        source = self.write("in", content)
        with open(source, "rb") as stdin, open(self.folder / "out", "wb") as stdout:
            self.probe("cat", stdin=stdin, stdout=stdout)
        self.assertEqual((self.folder / "out").read_bytes(), content)

    def test_half_a_gigabyte(self):
        block, count = os.urandom(1 << 20), 16 if QUICK else 512
        run = self.start("--", "probe", "cat", stdin=subprocess.PIPE)
        sent, got = hashlib.sha256(), hashlib.sha256()

        def feed():
            for number in range(count):
                piece = number.to_bytes(8, "little") + block
                sent.update(piece)
                run.process.stdin.write(piece)
            run.process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        while data := run.process.stdout.read(1 << 20):
            got.update(data)
        feeder.join()
        self.assertEqual(run.process.wait(runs.PATIENCE), 0)
        self.assertEqual(got.digest(), sent.digest())

    def test_a_reader_that_goes_ends_the_writer(self):
        run = self.start("--", "probe", "yes")
        run.read_until(b"y\n")
        run.process.stdout.close()
        self.assertEqual(run.process.wait(runs.PATIENCE), 128 + signal.SIGPIPE)

    def test_broken_pipe_is_an_error_inside(self):
        run = self.start("--", "probe", "pipe")
        run.read_until(b"y\n")
        run.process.stdout.close()
        run.read_until(b"EPIPE\n", run.process.stderr)
        self.assertEqual(run.process.wait(runs.PATIENCE), 0)

    def test_a_program_that_ends_breaks_its_input(self):
        read, write = os.pipe()
        run = self.start("--", "probe", "wait", stdin=read)
        os.close(read)
        run.read_until(b"ready\n")
        run.signal(signal.SIGTERM)
        run.process.wait(runs.PATIENCE)
        with self.assertRaises(BrokenPipeError):
            os.write(write, b"x")
        os.close(write)

    def test_what_is_not_read_waits(self):
        run = self.start("--", "probe", "yes")
        run.read_until(b"y\n")
        # The pipe is full when no more fits; then PROGRAM waits, and nothing is lost.
        count = 2
        while count < 1 << 20:
            data = os.read(run.process.stdout.fileno(), 65536)
            self.assertEqual(data, (b"y\n" if count % 2 == 0 else b"\ny") * (len(data) // 2) +
                             (b"y" if count % 2 == 0 and len(data) % 2 else b""))
            count += len(data)
        run.process.stdout.close()
        run.process.wait(runs.PATIENCE)

    def test_closed_streams(self):
        for number in (0, 1, 2):
            with self.subTest(closed=number):
                run = self.start("--", "probe", "exit", 5, preexec_fn=lambda: os.close(number))
                self.assertEqual(run.finish()[0], 5)

    def test_streams_open_the_wrong_way(self):
        with open("/dev/null", "rb") as for_reading, open("/dev/null", "wb") as for_writing:
            self.fails("--", "probe", "hello", stdin=for_writing,
                       says="stdin is not open for reading")
            run = self.start("--", "probe", "hello", stdout=for_reading)
            status, _, err = run.finish()
            self.assertEqual(status, 125)
            self.assertIn(b"stdout is not open for writing", err)

    def test_descriptors_of_others_do_not_get_in(self):
        read, write = os.pipe()
        run = self.start("--", "probe", "wait", pass_fds=[write])
        os.close(write)
        run.read_until(b"ready\n")
        # The front end has it, but nobody that it started.
        holders = [pid for pid in run.pids() if any(
            os.readlink(f"/proc/{pid}/fd/{fd}") == os.readlink(f"/proc/self/fd/{read}")
            for fd in os.listdir(f"/proc/{pid}/fd"))]
        self.assertEqual(holders, [run.process.pid])
        os.close(read)

    def test_runs_side_by_side(self):
        started = [self.start("--", "probe", "exit", code) for code in range(8)]
        self.assertEqual([run.finish()[0] for run in started], list(range(8)))


class Ends(RunTest):
    def waiting(self, *options, what="wait", **more):
        run = self.start(*options, "--status", "status", "--", "probe", what, **more)
        run.read_until(b"ready\n")
        return run

    def test_time_is_up(self):
        status, out, err = self.probe("wait", options=("--timeout", "0.2", "--status", "status"))
        self.assertEqual((status, out), (124, b"ready\nTERM\n"))
        lines = err.decode().splitlines()
        self.assertEqual(lines[-1], "scripts/run: the time was up, so the machine was ended")
        self.assertRegex("\n".join(lines[:-1]), "thread .*waits")
        self.status_is(end="timeout", status=124, code=7, signal=None)

    def test_time_is_up_for_one_that_resists(self):
        status, out, _ = self.probe("defy", options=("--timeout", "0.1", "--status", "status"))
        self.assertEqual((status, out), (124, b"ready\n"))
        self.status_is(end="timeout", status=124, code=None, signal=signal.SIGKILL)
        self.assertGreater(self.status()["seconds"], 2)

    def test_time_enough(self):
        self.assertEqual(self.succeeds("hello", options=("--timeout", "3600.5")), b"hello\n")

    def test_signals_end_the_machine(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number=number):
                run = self.waiting()
                run.signal(number)
                status, out, err = run.finish()
                self.assertEqual((status, out, err), (128 + number, b"TERM\n", b""))
                self.status_is(end="interrupted", status=status, code=7)

    def test_signals_that_are_ignored_stay_so(self):
        run = self.waiting(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        run.signal(signal.SIGHUP)
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish()[0], 128 + signal.SIGTERM)

    def test_a_second_signal_ends_it_at_once(self):
        run = self.waiting(what="defy")
        run.signal(signal.SIGINT)
        run.signal(signal.SIGTERM)
        self.assertEqual(run.finish()[0], 128 + signal.SIGINT)
        self.assertLess(self.status()["seconds"], 2)

    def test_interrupted_while_output_waits(self):
        run = self.start("--", "probe", "yes")
        run.read_until(b"y\n")
        run.signal(signal.SIGTERM)
        self.assertEqual(run.process.wait(runs.PATIENCE), 128 + signal.SIGTERM)

    def test_any_process_killed_leaves_nothing(self):
        number = 0
        while True:
            run = self.waiting(what="plain")
            pids = run.pids()
            if number == len(pids):
                run.signal(signal.SIGKILL)
                break
            self.assertIn(run.process.pid, pids)
            os.kill(pids[number], signal.SIGKILL)
            # What the machine can do without it does not end.
            if pids[number] != run.process.pid:
                run.signal(signal.SIGTERM)
            status = run.process.wait(runs.PATIENCE)
            self.assertNotEqual(status, 0)
            runs.await_state(pids, "ZX")
            # Half a status is not written.
            if pids[number] == run.process.pid:
                self.assertEqual(self.files(), [])
            else:
                self.assertEqual(self.status()["status"], status)
                os.remove(self.folder / "status")
            number += 1
        self.assertGreaterEqual(number, 3)

    def test_the_kernel_process_killed(self):
        run = self.waiting(what="plain")
        kernel = [pid for pid in run.pids() if runs.process_stat(pid)[1] == run.process.pid]
        os.kill(kernel[0], signal.SIGKILL)
        status, _, err = run.finish()
        self.assertEqual(status, 125)
        self.assertIn(b"its kernel process was ended by signal 9 (Killed)", err)
        self.status_is(end="machine-failed", status=125, code=None, signal=None,
                       reason="the machine failed: its kernel process was ended by signal 9 "
                              "(Killed)")

    def test_all_stopped_and_continued(self):
        run = self.start("--timeout", "1.5", "--", "probe", "cat", stdin=subprocess.PIPE)
        run.process.stdin.write(b"before\n")
        run.process.stdin.flush()
        run.read_until(b"before\n")
        pids = run.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        runs.await_state(pids, "T")
        # More than the run's time passes, in which it is not running.
        self.assertEqual(select.select([run.process.stdout], [], [], 2), ([], [], []))
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        status, out, err = run.finish(b"after\n")
        self.assertEqual((status, out, err), (0, b"after\n", b""))

    def test_suspended_with_the_machine(self):
        run = self.start("--", "probe", "cat", stdin=subprocess.PIPE)
        run.process.stdin.write(b"before\n")
        run.process.stdin.flush()
        run.read_until(b"before\n")
        pids = run.pids()
        run.signal(signal.SIGTSTP)
        os.waitid(os.P_PID, run.process.pid, os.WSTOPPED)
        machine = [pid for pid in pids if pid != run.process.pid]
        runs.await_state([machine[0]], "T")
        run.signal(signal.SIGCONT)
        self.assertEqual(run.finish(b"after\n"), (0, b"after\n", b""))


class Files(RunTest):
    def test_a_file_goes_in_and_comes_back(self):
        for mode in (0o644, 0o400, 0o755):
            self.write("in", os.urandom(70000), mode)
            self.succeeds("hello", options=("--file", "in=/some/where", "--get",
                                            "/some/where=out"))
            self.assertEqual((self.folder / "out").read_bytes(), (self.folder / "in").read_bytes())
            self.assertEqual(self.mode_of("out"), mode)
            os.remove(self.folder / "in")

    def test_sizes(self):
        for size in (0, 1, 4095, 4096, 4097, 1 << 24):
            content = os.urandom(size)
            self.write("in", content)
            self.succeeds("hello", options=("--file", "in=/f", "--get", "/f=out"))
            self.assertEqual((self.folder / "out").read_bytes(), content)

    def test_a_folder_goes_in_and_comes_back(self):
        self.write("in/a/deep", b"deep", 0o640)
        self.write("in/top", b"top", 0o755)
        self.write("in/closed/inner", b"inner")
        (self.folder / "in/empty").mkdir(mode=0o700)
        (self.folder / "in/link").symlink_to("a/deep")
        (self.folder / "in/dangling").symlink_to("/no/where")
        (self.folder / "in/closed").chmod(0o555)
        self.succeeds("hello", options=("--file", "in=/in", "--get", "/in=out"))
        for name in ("a/deep", "top", "closed/inner", "closed", "empty", "a"):
            self.assertEqual(self.mode_of(f"out/{name}"), self.mode_of(f"in/{name}"), name)
        for name in ("a/deep", "top", "closed/inner", "link"):
            self.assertEqual((self.folder / "out" / name).read_bytes(),
                             (self.folder / "in" / name).read_bytes())
        for name in ("link", "dangling"):
            self.assertEqual(os.readlink(self.folder / "out" / name),
                             os.readlink(self.folder / "in" / name))
        # And once more, over what is there.
        self.succeeds("hello", options=("--file", "in=/in", "--get", "/in=out"))
        for name in ("in", "out"):
            (self.folder / name / "closed").chmod(0o755)

    def test_a_link_that_is_named_is_followed(self):
        self.write("in/file", b"x")
        (self.folder / "in/link").symlink_to("file")
        self.succeeds("hello", options=("--file", "in=/in", "--get", "/in/link=out", "--file",
                                        "in/link=/other", "--get", "/other=out2"))
        for name in ("out", "out2"):
            self.assertFalse((self.folder / name).is_symlink())
            self.assertEqual((self.folder / name).read_bytes(), b"x")

    def test_several(self):
        self.write("one", b"1")
        self.write("two=2", b"2")
        self.succeeds("hello", options=(
            "--file", "one=/x/1", "--file", "two=2=/x/2", "--get", "/x/2=out=2", "--get",
            "/x/1=out1"))
        self.assertEqual((self.folder / "out1").read_bytes(), b"1")
        self.assertEqual((self.folder / "out=2").read_bytes(), b"2")

    def test_the_last_of_a_name_counts(self):
        self.write("one", b"1")
        self.write("two", b"2")
        self.succeeds("hello", options=("--file", "one=/x", "--file", "two=/x", "--get",
                                        "/x=out"))
        self.assertEqual((self.folder / "out").read_bytes(), b"2")

    def test_what_is_there_is_replaced(self):
        self.write("in", b"new")
        self.write("out", b"old and longer", 0o600)
        self.succeeds("hello", options=("--file", "in=/f", "--get", "/f=out"))
        self.assertEqual((self.folder / "out").read_bytes(), b"new")
        self.assertEqual(self.files(), ["in", "out"])

    def test_to_a_pipe(self):
        self.write("in", b"content")
        _, out, _ = self.probe("hello", options=("--file", "in=/f", "--get", "/f=/dev/stderr"),
                               stderr=subprocess.STDOUT)
        self.assertEqual(out, b"hello\ncontent")

    def test_also_after_failure(self):
        self.write("in", b"content")
        files = ("--file", "in=/f", "--get", "/f=out", "--status", "status")
        for what, options, wanted in ((("exit", 3), (), 3), (("signal", 11), (), 139),
                                      (("wait",), ("--timeout", "0.1"), 124)):
            with self.subTest(what=what):
                status, _, _ = self.probe(*what, options=(*files, *options))
                self.assertEqual(status, wanted)
                self.assertEqual((self.folder / "out").read_bytes(), b"content")
                self.assertEqual(self.status()["get"],
                                 [{"path": "/f", "host": "out", "error": None}])
                os.remove(self.folder / "out")
        run = self.start(*files, "--", "probe", "wait")
        run.read_until(b"ready\n")
        run.signal(signal.SIGINT)
        self.assertEqual(run.finish()[0], 130)
        self.assertEqual((self.folder / "out").read_bytes(), b"content")
        os.remove(self.folder / "out")
        self.assertEqual(self.run_it(*files, "--", "nothing")[0], 127)
        self.assertEqual((self.folder / "out").read_bytes(), b"content")

    def test_what_is_not_there_is_named(self):
        self.write("in", b"content")
        status, _, err = self.probe("exit", 3, options=(
            "--get", "/no/such=one", "--file", "in=/f", "--get", "/f=two", "--status", "status"))
        self.assertEqual(status, 3)
        error = "/no/such cannot be read: No such file or directory"
        self.assertEqual(err.decode(), f"scripts/run: {error}\n")
        self.assertEqual(self.files(), ["in", "status", "two"])
        self.assertEqual([get["error"] for get in self.status()["get"]], [error, None])

    def test_no_room(self):
        self.write("in", b"content")
        status, _, err = self.probe("exit", 3, options=("--file", "in=/f", "--get",
                                                        "/f=/dev/full"))
        self.assertEqual(status, 3)
        self.assertEqual(err, b"scripts/run: /dev/full cannot be written: "
                              b"No space left on device\n")
        status, _, err = self.probe("exit", 3, options=("--status", "/dev/full"))
        self.assertEqual(status, 125)
        self.assertEqual(err, b"scripts/run: /dev/full cannot be written: "
                              b"No space left on device\n")

    def test_the_machine_dies_first(self):
        self.write("in", b"content")
        run = self.start("--file", "in=/f", "--get", "/f=out", "--status", "status", "--", "probe",
                         "plain")
        run.read_until(b"ready\n")
        kernel = [pid for pid in run.pids() if runs.process_stat(pid)[1] == run.process.pid]
        os.kill(kernel[0], signal.SIGKILL)
        status, _, err = run.finish()
        self.assertEqual(status, 125)
        self.assertIn(b"/f was not brought back: the machine failed\n", err)
        self.assertEqual(self.files(), ["in", "status"])


if __name__ == "__main__":
    runs.main()
