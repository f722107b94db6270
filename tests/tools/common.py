# SPDX-License-Identifier: MIT
"""What the tests of host tools share."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path


class ToolTest(unittest.TestCase):
    """A folder of its own for each test, and the tool given on the command line."""

    tool = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_tool(self, *arguments, **options):
        return subprocess.run([self.tool, *map(str, arguments)], capture_output=True,
                              check=False, cwd=self.folder, **options)

    def succeeds(self, *arguments, **options):
        result = self.run_tool(*arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def fails(self, *arguments, says, code=1, **options):
        """It fails, says why in one line (besides a hint at --help), and leaves nothing behind."""
        before = sorted(os.listdir(self.folder))
        result = self.run_tool(*arguments, **options)
        text = result.stderr.decode()
        self.assertEqual(result.returncode, code, text)
        self.assertIn(says, text)
        # "profiling:" is a build for coverage that cannot write its counts.
        lines = [line for line in text.splitlines()
                 if not line.startswith(("Try ", "profiling:"))]
        if code == 1:
            self.assertEqual(len(lines), 1, text)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def helps(self):
        text = self.succeeds("--help").decode()
        self.assertTrue(text.startswith("Usage: "), text)
        self.assertLess(max(map(len, text.splitlines())), 101)


def main(tests):
    """Arguments: the tool, then whatever the tests want of sys.argv. The last line is the sum."""
    ToolTest.tool = sys.argv[1]
    result = unittest.TextTestRunner(sys.stdout).run(
        unittest.TestLoader().loadTestsFromTestCase(tests))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(failed != 0)
