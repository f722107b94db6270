#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header stands alone: a file that includes nothing else compiles.

Usage: headers.py ROOT COMPILER
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDERS = ("include", "lib", "core", "hal/model", "tools")
FREESTANDING = ("include", "lib/base", "lib/elf", "lib/cpio", "lib/manifest", "lib/stash",
                "lib/run", "core")


def compiles(root, compiler, header):
    command = [compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c",
               f"-I{root / 'include'}", f"-I{root / 'lib'}", f"-I{root / 'tools'}"]
    if "clang" in compiler:
        command.append("-fdouble-square-bracket-attributes")
    if header.startswith(FREESTANDING):
        command.append("-ffreestanding")
    result = subprocess.run(command + ["-"], input=f'#include "{root / header}"\n', text=True,
                            capture_output=True, check=False)
    if result.returncode:
        print(f"{header} does not stand alone:\n{result.stderr}")
    return result.returncode == 0


def main(root, compiler):
    root = Path(root)
    headers = sorted(str(path.relative_to(root)) for folder in FOLDERS
                     for path in (root / folder).rglob("*.h"))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda header: compiles(root, compiler, header), headers))
    print(f"{sum(results)} of {len(headers)} headers stand alone")
    return 0 if headers and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
