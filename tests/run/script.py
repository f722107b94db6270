#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run: builds when it has to, only then, and once. What it calls are stand-ins.

Usage: script.py ROOT
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(sys.argv[1]).resolve()

CMAKE = """#!/bin/sh
echo "$*" >>"$CALLS"
echo "output of cmake"
if [ "$1" = --preset ]; then
    mkdir -p build/run && : >build/run/build.ninja
    exit
fi
[ ! -e "$TREE/broken" ] || { echo "the error"; exit 1; }
mkdir -p "$2/tools/run"
cp "$TREE/front" "$2/tools/run/axolotl-run"
"""

# Exits 99 if somebody could be building meanwhile.
FRONT = """#!/bin/sh
! flock --nonblock --exclusive "$TREE/build/run/.lock" true || exit 99
for argument; do echo "$argument"; done
exit 5
"""


class Script(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name) / "a tree"
        for name in ("scripts", "core", "hal", "include", "lib", "servers", "apps",
                     "image", "cmake", "tools/run", "bin"):
            (self.tree / name).mkdir(parents=True)
        shutil.copy(SOURCE / "scripts/run", self.tree / "scripts/run")
        shutil.copy(SOURCE / "tools/run/help.txt", self.tree / "tools/run/help.txt")
        for name in ("CMakeLists.txt", "CMakePresets.json", "core/a.c", "lib/b.h"):
            (self.tree / name).write_text("x")
        for name, text in (("bin/cmake", CMAKE), ("front", FRONT)):
            (self.tree / name).write_text(text)
            (self.tree / name).chmod(0o755)
        self.calls = self.tree / "calls"
        self.environment = dict(os.environ, PATH=f"{self.tree}/bin:{os.environ['PATH']}",
                                TREE=str(self.tree), CALLS=str(self.calls), JOBS="2")

    def start(self, *arguments, **options):
        return subprocess.Popen([self.tree / "scripts/run", *arguments], env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                cwd=self.tree.parent, **options)

    def run_it(self, *arguments, **options):
        process = self.start(*arguments, **options)
        out, err = process.communicate()
        return process.returncode, out, err

    def built(self):
        """How often something was built since this was asked."""
        calls = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return len([call for call in calls if call.startswith("--build")])

    def is_quiet(self, *arguments):
        status, out, err = self.run_it(*arguments)
        self.assertEqual((status, err, self.built()), (5, "", 0))
        return out

    def test_builds_first_and_only_once(self):
        status, out, err = self.run_it("--cpus", "2", "--", "a b", "--help")
        self.assertEqual(status, 5)
        self.assertIn("output of cmake", err)
        self.assertNotIn("cmake", out)
        self.assertEqual(self.calls.read_text().splitlines(), [
            "--preset run", f"--build {self.tree}/build/run --target machine --parallel 2"])
        self.built()
        lines = self.is_quiet("--cpus", "2", "--", "a b", "--help").splitlines()
        build = self.tree / "build/run"
        self.assertEqual(lines[0], "--lock")
        self.assertEqual(lines[2:], [
            "--kernel", f"{build}/hal/hosted/axolotl-hosted", "--crashes", f"{build}/crashes",
            "--root", f"{build}/root.image", "--image", f"{build}/system.image", "--cpus", "2",
            "--", "a b", "--help"])

    def test_builds_what_has_changed(self):
        self.run_it()
        self.built()
        stamp = (self.tree / "build/run/.built").stat().st_mtime_ns
        for change in (lambda: (self.tree / "core/a.c").write_text("y"),
                       lambda: (self.tree / "CMakeLists.txt").write_text("y"),
                       lambda: (self.tree / "lib/new.h").write_text("y"),
                       lambda: (self.tree / "lib/new.h").unlink()):
            self.is_quiet()
            change()
            for path in (self.tree / "core/a.c", self.tree / "CMakeLists.txt", self.tree / "lib"):
                # Not later by the file system's clock, which ticks slowly, but certainly newer.
                if path.stat().st_mtime_ns >= stamp:
                    os.utime(path, ns=(stamp + 10**10, stamp + 10**10))
            self.assertEqual(self.run_it()[0], 5)
            self.assertEqual(self.built(), 1)
            for path in (self.tree / "core/a.c", self.tree / "CMakeLists.txt", self.tree / "lib"):
                os.utime(path, ns=(stamp, stamp))

    def test_tests_and_documents_do_not_matter(self):
        self.run_it()
        self.built()
        for name in ("tests", "docs"):
            (self.tree / name).mkdir()
            (self.tree / name / "new").write_text("x")
        self.is_quiet()

    def test_runs_side_by_side_build_once(self):
        started = [self.start("--", str(number)) for number in range(8)]
        for number, process in enumerate(started):
            out, _ = process.communicate()
            self.assertEqual((process.returncode, out.splitlines()[-1]), (5, str(number)))
        self.assertEqual(self.built(), 1)

    def test_quiet(self):
        status, _, err = self.run_it("--quiet")
        self.assertEqual((status, err, self.built()), (5, "", 1))

    def test_a_build_that_fails(self):
        (self.tree / "broken").write_text("")
        for options in ([], ["--quiet"]):
            for status_options in (["--status", "st"], ["--status=st"]):
                status, out, err = self.run_it(*options, *status_options, "--", "--status", "no")
                self.assertEqual((status, out), (125, ""))
                self.assertIn("the error\n", err)
                reason = "the build failed; scripts/doctor tells whether something is missing"
                self.assertEqual(err.splitlines()[-1], f"scripts/run: {reason}")
                path = self.tree.parent / "st"
                self.assertEqual(json.loads(path.read_text()), {
                    "end": "machine-failed", "status": 125, "code": None, "signal": None,
                    "reason": reason, "seconds": 0, "get": []})
                path.unlink()
        (self.tree / "broken").unlink()
        self.assertEqual(self.run_it()[0], 5)

    def test_somebody_elses_tree(self):
        """Runs what is built; if that is out of date, says so."""
        if os.geteuid() != 0:
            return  # there is nobody else
        self.tree.parent.chmod(0o755)
        status, _, err = self.run_it("--", "x", user=65534, group=65534)
        self.assertEqual(status, 125)
        self.assertIn("build/run cannot be made: ", err)
        self.run_it()
        self.built()
        self.environment.pop("XDG_STATE_HOME", None)
        for variable, place in (("HOME", "/h/.local/state"), ("XDG_STATE_HOME", "/h")):
            self.environment[variable] = "/h"
            status, out, err = self.run_it("--", "x", user=65534, group=65534)
            self.assertEqual((status, err), (5, ""))
            lines = out.splitlines()
            self.assertEqual(lines[lines.index("--crashes") + 1], f"{place}/axolotl-crashes")
        stamp = (self.tree / "build/run/.built").stat().st_mtime_ns + 10**10
        os.utime(self.tree / "core/a.c", ns=(stamp, stamp))
        status, _, err = self.run_it("--", "x", user=65534, group=65534)
        self.assertEqual(status, 125)
        self.assertIn("build/run is out of date and cannot be written: build as its owner", err)

    def test_help_needs_no_build(self):
        status, out, err = self.run_it("--help")
        self.assertEqual((status, err, self.built()), (0, "", 0))
        self.assertEqual(out, (SOURCE / "tools/run/help.txt").read_text())


if __name__ == "__main__":
    result = unittest.TextTestRunner(sys.stdout).run(
        unittest.TestLoader().loadTestsFromTestCase(Script))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed != 0)
