# SPDX-License-Identifier: MIT
"""What the tests of scripts/run share: starting runs, on whichever machine, and looking after them.

Arguments of each test program: AXOLOTL_RUN KERNEL ROOT_IMAGE SYSTEM_IMAGE PROBE
"""

import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

RUN, KERNEL, ROOT, IMAGE, PROBE = (Path(name).resolve() for name in sys.argv[1:6])
QUICK = "AX_QUICK" in os.environ
PATIENCE = 50  # seconds, for what should happen at once


def process_stat(pid):
    """State, parent and session of a process; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, _, session = text.rpartition(")")[2].split()[:4]
    return state, int(parent), int(session)


def await_state(pids, wanted):
    """Until each of the processes is in one of the states; None is gone."""
    for pid in pids:
        while (found := process_stat(pid)) is not None and found[0] not in wanted:
            os.sched_yield()


class Run:
    """One run of the front end, in a session of its own."""

    def __init__(self, test, *arguments, kernel=KERNEL, tool=RUN, fake="", environment=None,
                 probe=True, prefix=(), **options):
        self.test = test
        self.mark = uuid.uuid4().hex
        what = ["--kernel", kernel, "--root", ROOT, "--image", IMAGE]
        if probe:
            what += ["--file", f"{PROBE}=/bin/probe"]
        environment = dict(os.environ, **(environment or {}), AX_TEST_MARK=self.mark, AX_FAKE=fake,
                           TMPDIR=str(test.folder))
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, "cwd": test.folder,
                   "start_new_session": True} | options
        self.process = subprocess.Popen([*prefix, tool, *map(str, what), *map(str, arguments)],
                                        env=environment, **options)
        test.addCleanup(self.end)

    def end(self):
        """Ends it if it should still run; nothing of it is left."""
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        self.process.wait(PATIENCE)
        await_state(self.pids(), "ZX")

    def pids(self):
        """All of its processes: by their session, or by a variable that they inherited."""
        mark = f"AX_TEST_MARK={self.mark}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                environment = Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                environment = b""
            status = process_stat(entry)
            if status and status[0] not in "ZX" and (
                    status[2] == self.process.pid or mark in environment):
                found.append(int(entry))
        return found

    def read_until(self, text, stream=None):
        """What comes until the text has come."""
        stream = stream or self.process.stdout
        got = b""
        while text not in got:
            ready, _, _ = select.select([stream], [], [], PATIENCE)
            self.test.assertTrue(ready, f"{text} does not come, only {got}")
            byte = os.read(stream.fileno(), 1)
            self.test.assertTrue(byte, f"{text} does not come, only {got}")
            got += byte
        return got

    def signal(self, number):
        self.process.send_signal(number)

    def finish(self, data=None):
        """(status, stdout, stderr) when it has ended; then no process is left."""
        out, err = self.process.communicate(data, PATIENCE)
        self.test.assertEqual(self.pids(), [])
        return self.process.returncode, out, err


class RunTest(unittest.TestCase):
    """A folder of its own for each test; only files that a test knows of are left in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def start(self, *arguments, **options):
        return Run(self, *arguments, **options)

    def run_it(self, *arguments, data=None, **options):
        if data is not None:
            options["stdin"] = subprocess.PIPE
        return self.start(*arguments, **options).finish(data)

    def probe(self, *arguments, options=(), **more):
        return self.run_it(*options, "--", "probe", *arguments, **more)

    def succeeds(self, *arguments, **options):
        status, out, err = self.probe(*arguments, **options)
        self.assertEqual((status, err), (0, b""))
        return out

    def fails(self, *arguments, says, status=125, **options):
        """It fails and says why, in one line."""
        before = self.files()
        code, out, err = self.run_it(*arguments, **options)
        self.assertEqual((code, out), (status, b""), err)
        text = err.decode()
        self.assertTrue(text.startswith("scripts/run: "), text)
        self.assertIn(says, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertEqual(self.files(), before)

    def status(self, name="status"):
        with open(self.folder / name, encoding="utf-8") as file:
            return json.load(file)

    def status_is(self, **wanted):
        got = self.status()
        self.assertEqual({name: got[name] for name in wanted}, wanted, got)

    def files(self):
        return sorted(os.listdir(self.folder))

    def write(self, name, content=b"", mode=0o644):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def mode_of(self, name):
        return stat.S_IMODE((self.folder / name).lstat().st_mode)

    def copies_for_everybody(self):
        """What is needed, in a place where other users can read it: tool, options."""
        names = {}
        for path in (RUN, KERNEL, ROOT, IMAGE, PROBE):
            names[path] = self.folder / path.name
            shutil.copy(path, names[path])
            names[path].chmod(0o755)
        self.folder.chmod(0o755)
        return names


def main():
    """The last line is the sum."""
    program = unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[6:]], exit=False,
                            testRunner=unittest.TextTestRunner(sys.stdout))
    result = program.result
    # A test with several parts that fail is one.
    failed = len({getattr(test, "test_case", test).id()
                  for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed != 0)


# A child of a shell in the background ignores these, and so would what is tested.
signal.signal(signal.SIGINT, signal.default_int_handler)
