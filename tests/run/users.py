#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run for other users, and in containers. See runs.py for the arguments."""

import os
import subprocess

import runs
from runs import RunTest


class Users(RunTest):
    """If this is root; otherwise all the other tests are these."""

    def as_another(self, *options):
        """In a folder of that user's. (status, stdout, stderr, the folder)"""
        names = self.copies_for_everybody()
        home = self.folder / "home"
        if not home.exists():
            home.mkdir()
            os.chown(home, 65534, 65534)
        run = subprocess.run(
            [names[runs.RUN], "--kernel", names[runs.KERNEL], "--root", names[runs.ROOT],
             "--image", names[runs.IMAGE], "--file", f"{names[runs.PROBE]}=/bin/probe", *options,
             "--", "probe", "hello"],
            cwd=home, user=65534, group=65534, extra_groups=[], capture_output=True, check=False,
            env=os.environ | {"GCOV_PREFIX": str(home / "coverage")})
        return (run.returncode, run.stdout, run.stderr), home

    def test_as_another_user(self):
        if os.geteuid() != 0:
            self.assertEqual(self.succeeds("hello"), b"hello\n")
            return
        said, home = self.as_another("--get", "/bin/probe=back", "--status", "status")
        self.assertEqual(said, (0, b"hello\n", b""))
        self.assertEqual((home / "back").read_bytes(), runs.PROBE.read_bytes())

    def test_a_closed_folder_comes_back_to_another_user_twice(self):
        if os.geteuid() != 0:
            return
        self.write("in/closed/inner", b"inner")
        for closed in (self.folder / "in/closed", self.folder / "in"):
            closed.chmod(0o555)
        for _ in range(2):
            said, home = self.as_another("--file", f"{self.folder}/in=/in", "--get", "/in=out")
            self.assertEqual(said, (0, b"hello\n", b""))
            self.assertEqual((home / "out/closed/inner").read_bytes(), b"inner")
            for name in ("out", "out/closed"):
                self.assertEqual((home / name).stat().st_mode & 0o777, 0o555)

    def test_another_user_writes_to_what_is_no_file(self):
        if os.geteuid() != 0:
            return
        self.write("in", b"content")
        said, _ = self.as_another("--file", f"{self.folder}/in=/f", "--get", "/f=/dev/full")
        self.assertEqual(said, (0, b"hello\n", b"scripts/run: /dev/full cannot be written: "
                                               b"No space left on device\n"))

    def test_in_a_container(self):
        for options in (["-Ur"], ["-Urpf", "--mount-proc"]):
            with self.subTest(options=options):
                status, out, err = self.probe("hello", prefix=["unshare", *options])
                self.assertEqual((status, out, err), (0, b"hello\n", b""))


if __name__ == "__main__":
    runs.main()
