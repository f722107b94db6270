#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run and what the hosted machine itself refuses: damaged images, a host that gives too
little or is too old. For the hosted machine alone; see runs.py. The program `refuse` lies beside
PROBE."""

import os
import resource
import subprocess

import runs
from runs import RunTest

CONTENT = runs.IMAGE.read_bytes()
REFUSE = runs.PROBE.parent / "refuse"
PR_SET_TSC, PR_SET_NO_NEW_PRIVS = 26, 38


def lower(limit, value):
    return lambda: resource.setrlimit(limit, (value, value))


class Images(RunTest):
    def bad(self, content, says, name="image", option="--image"):
        path = self.write(name, content)
        self.fails(option, path, "--", "hello", probe=False, says=says)
        self.assertEqual(path.read_bytes(), content)

    def test_the_system_image(self):
        self.bad(b"", f"{self.folder}/image is empty: build it again")
        garbage = "is no cpio archive of the format newc, or damaged"
        self.bad(CONTENT[:100], "the system image, at byte 0, ")
        self.bad(bytes(range(256)) * 32, f"the system image, at byte 0, {garbage}")
        self.bad(b"X" + CONTENT[1:], f"the system image, at byte 0, {garbage}")
        self.bad(CONTENT[:len(CONTENT) // 2], "is truncated: it ends within an entry or has no "
                                              "trailer: build it again")
        for part in (1, 3, 7):
            cut = len(CONTENT) * part // 8 // 512 * 512 + 17
            self.bad(CONTENT[:cut], "the system image, at byte ")

    def test_the_manifest(self):
        self.bad(CONTENT.replace(b"priority  = 40", b"prioriti  = 40"),
                 '/etc/manifest, line 6: unknown key "prioriti"')
        self.bad(CONTENT.replace(b"heartbeat = 5s\n", b"calls=console \n"),
                 "these servers would call each other in a circle: console -> console")
        self.bad(CONTENT.replace(b"etc/manifest", b"etc/manifesx"),
                 "/etc/manifest is missing in the system image")

    def test_programs_of_servers(self):
        """Whose lack nobody could survive: the machine says so and does not wait for ever."""
        for name in (b"init", b"console"):
            text = name.decode()
            self.bad(CONTENT.replace(b"= /bin/" + name, b"= /bin/" + name[:-1] + b"x"),
                     f"{text} cannot be started: /bin/{text[:-1]}x: is missing in the system image")
        first = CONTENT.index(b"\x7fELF")
        for damage in (CONTENT[:first] + b"\x7fELX" + CONTENT[first + 4:],
                       CONTENT[:first + 64] + bytes(512) + CONTENT[first + 576:]):
            self.bad(damage, "console cannot be started: /bin/console: is ")

    def test_the_personality(self):
        self.bad(CONTENT.replace(b"lib/personality", b"lib/personalitx"),
                 "/lib/personality is missing in the system image")

    def test_the_root_task(self):
        content = runs.ROOT.read_bytes()
        self.bad(b"", f"{self.folder}/root is empty: build it again", "root", "--root")
        for damage in (content[:100], content[:8192], b"x" * 8192):
            self.bad(damage, f"{self.folder}/root cannot be booted: root task: damaged image",
                     "root", "--root")
            self.bad(damage, ": build it again", "root", "--root")

    def test_programs(self):
        content = runs.PROBE.read_bytes()
        for damage in (b"", content[:3], content[:100], content[:5000],
                       content[:16] + b"\x01" + content[17:],
                       content[:40] + b"\xff" * 24 + content[64:], b"\x7fELF" + bytes(4096)):
            path = self.write("program", damage, 0o755)
            self.fails("--file", f"{path}=/bin/program", "--", "program", probe=False, status=126,
                       says="program cannot be executed: ")


class Host(RunTest):
    def bad(self, *options, says, **more):
        self.fails(*options, "--", "probe", "hello", says=says, **more)

    def test_memory(self):
        for size in ("8M", "9M"):
            self.bad("--memory", size, says=": give the machine more memory")
        self.bad("--memory", "16384G", says="16777216 MiB of memory are more than this host has: "
                                            "give --memory at most ")

    def test_limits(self):
        self.bad(preexec_fn=lower(resource.RLIMIT_AS, 1 << 28), says=(
            "256 MiB of memory cannot be had: Cannot allocate memory (less --memory, or ulimit "
            "-v)"))
        self.bad(preexec_fn=lower(resource.RLIMIT_FSIZE, 1 << 22),
                 says="256 MiB of memory cannot be had: File too large (ulimit -f)")
        self.bad(preexec_fn=lower(resource.RLIMIT_DATA, 1 << 24),
                 says="no thread for the devices can be had: ")
        for limit in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_SIGPENDING, resource.RLIMIT_CORE):
            self.assertEqual(self.succeeds("hello", preexec_fn=lower(limit, 0)), b"hello\n")

    def test_processes(self):
        """As a user who has no others; unprivileged, or the limit would not count. There is no
        number with which the machine neither runs nor says what is missing."""
        if os.geteuid() != 0:
            return  # others of this user would count
        names = self.copies_for_everybody()
        user = 61234 + os.getpid() % 4000
        for cpus in (1, 4):
            enough = [self.with_processes(names, user, cpus, count) for count in range(1, 25)]
            # The front end, the kernel process with its threads, the zygote, the root task.
            self.assertEqual(enough[:6], [False] * 6)
            self.assertTrue(enough[-1])

    def with_processes(self, names, user, cpus, count):
        """Whether they were enough. If not, that is told in one line."""
        run = subprocess.run(
            ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups",
             "prlimit", f"--nproc={count}", names[runs.RUN], "--kernel", names[runs.KERNEL],
             "--root", names[runs.ROOT], "--image", names[runs.IMAGE], "--cpus", str(cpus), "--",
             "hello"],
            cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=runs.PATIENCE)
        if run.returncode == 0:
            self.assertEqual((run.stdout, run.stderr), ("hello\n", ""))
            return True
        self.assertEqual((run.returncode, run.stdout), (125, ""), run.stderr)
        self.assertRegex(run.stderr, r"\Ascripts/run: .*\(ulimit -u(, .*)?\)\n\Z")
        return False

    def test_a_host_that_is_too_old(self):
        for call, options, says in (
                ("memfd_create", [], "no memory for files can be had: "),
                ("seccomp", [], "seccomp"),
                (f"prctl={PR_SET_NO_NEW_PRIVS}", [], "no_new_privs"),
                (f"prctl={PR_SET_TSC}", ["--seed", "1"], "PR_SET_TSC"),
                ("eventfd2", [], "no descriptor for the devices can be had: ")):
            with self.subTest(call=call):
                self.bad(*options, says=says, prefix=[REFUSE, call])


class Clock(RunTest):
    SEEDED = 1767225600 * 10**9  # 2026-01-01

    def test_a_seeded_run_has_its_own_date(self):
        """The same in each: what passes is virtual, and depends on the seed."""
        dates = [self.succeeds("date", options=("--seed", seed)) for seed in (1, 1, 2)]
        self.assertEqual(dates[0], dates[1])
        self.assertNotEqual(dates[0], dates[2])
        for date in map(int, b" ".join(dates).split()):
            self.assertGreaterEqual(date, self.SEEDED)
            self.assertLess(date, self.SEEDED + 60 * 10**9)

    def kernel(self, command):
        """A kernel process with that command line: its status, and what its log says."""
        run = subprocess.run([runs.KERNEL, "--root", runs.ROOT, "--image", runs.IMAGE, "--log", "1",
                              "--command", command], capture_output=True, text=True, check=False,
                             stdin=subprocess.DEVNULL, timeout=runs.PATIENCE)
        return run.returncode, run.stdout

    def test_a_date_that_is_none(self):
        for text in ("", "soon", "-1", "12x", "0x10", "9223372036854775808"):
            status, log = self.kernel(f"realtime={text} quiet")
            self.assertEqual(status, 1)
            self.assertIn(f'the kernel\'s command line: realtime="{text}" is not a number of '
                          "nanoseconds", log)


class Seeded(RunTest):
    def test_a_reader_that_goes(self):
        run = self.start("--seed", 1, "--", "probe", "yes")
        run.read_until(b"y\n")
        run.process.stdout.close()
        run.process.stdout = None
        status, _, err = run.finish()
        self.assertEqual((status, err), (125, b"scripts/run: nobody reads stdout any more: a "
                                              b"seeded run ends there\n"))


class Full(RunTest):
    """A file system without room, mounted by whoever may."""

    def test_a_full_disk(self):
        (self.folder / "disk").mkdir()
        self.write("large", b"x" * 300000)
        mount = 'mount -t tmpfs -o size=64k none disk && shift && "$@"; s=$?; ls -A disk; exit $s'
        for option in (["--get", "/large=disk/out"], ["--get", "/large=disk/out", "--status",
                                                      "disk/status"]):
            run = self.start("--file", "large=/large", *option, "--", "probe", "hello",
                             prefix=["unshare", "-Urm", "sh", "-c", mount, "sh", "--"])
            status, out, err = run.finish()
            self.assertEqual(status, 0)
            left = b"status\n" if len(option) > 2 else b""
            self.assertEqual(out, b"hello\n" + left)
            self.assertEqual(err, b"scripts/run: disk/out cannot be written: No space left on "
                                  b"device\n")

    def test_a_full_disk_as_stdout(self):
        """A seeded run ends there, and says why in one line: what is written belongs to it."""
        with open("/dev/full", "wb") as full:
            for stream in ("stdout", "stderr"):
                status, _, err = self.probe("both", options=("--seed", 1, "--status", "status"),
                                            **{stream: full})
                reason = f"{stream} cannot be written: No space left on device"
                self.assertEqual(status, 125)
                self.status_is(end="machine-failed", status=125, reason=reason)
                if stream == "stdout":
                    self.assertEqual(err.decode(), f"scripts/run: {reason}\n")


if __name__ == "__main__":
    runs.main()
