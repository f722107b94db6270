#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up one run of ctest from its JUnit file.

Usage: summary.py JUNIT_FILE

Prints the figures that tests report (lines of output that begin with "figure: "), what failed, and
at last "N passed, N failed". A Check program counts as its checks, a program that ends with a line
"N passed, N failed" as what it says, any other test as one. A test that did not run has failed.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

CHECK_LINE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.MULTILINE)
OWN_LINE = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
FIGURE_LINE = re.compile(r"^figure: (.*)$", re.MULTILINE)


def count(output, good):
    """(passed, failed) of one ctest test."""
    checks = [[int(number) for number in found] for found in CHECK_LINE.findall(output)]
    own = OWN_LINE.findall(output)
    if checks:
        failed = sum(failures + errors for _, failures, errors in checks)
        passed = sum(total for total, _, _ in checks) - failed
    elif own:
        passed, failed = (int(number) for number in own[-1])
    else:
        passed, failed = int(good), 0
    if not good and failed == 0:
        failed = 1  # it failed outside its checks: a crash, a leak, a time limit
    return passed, failed


def main(path):
    passed_total = failed_total = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name")
        output = case.findtext("system-out") or ""
        passed, failed = count(output, case.get("status") == "run")
        passed_total += passed
        failed_total += failed
        for figure in FIGURE_LINE.findall(output):
            print(f"  {name}: {figure}")
        if failed:
            print(f"  {name}: FAILED")
    print(f"{passed_total} passed, {failed_total} failed")


if __name__ == "__main__":
    main(sys.argv[1])
