#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What core's archives leave undefined is the HAL contract and nothing else.

Usage: symbols.py CORE_ARCHIVE BASE_ARCHIVE
"""

import re
import subprocess
import sys

# hal_*: the contract. assert_failed: supplied by the machine. The rest: every C compiler emits
# calls to these four.
ALLOWED = re.compile(r"hal_\w+|assert_failed|mem(cpy|move|set|cmp)")


def symbols(archive, option):
    output = subprocess.run(["nm", "--format=just-symbols", option, archive], text=True,
                            capture_output=True, check=True).stdout
    return {line for line in output.split() if not line.endswith(":")}


def main(archives):
    defined = set().union(*(symbols(archive, "--defined-only") for archive in archives))
    wanted = set().union(*(symbols(archive, "--undefined-only") for archive in archives))
    stray = sorted(name for name in wanted - defined if not ALLOWED.fullmatch(name))
    for name in stray:
        print(f"core needs {name}, which is neither its own nor the HAL's")
    used = sorted(name for name in wanted if name.startswith("hal_"))
    print(f"core calls {len(used)} HAL functions")
    return 1 if stray or not defined else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
