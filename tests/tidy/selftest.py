#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tidy check itself: each rule complains about a bad snippet and not about a good one."""

import sys
import tempfile
import unittest
from pathlib import Path

import ctext
import tidy

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts/lib"))
import summary  # noqa: E402

SPDX = "/* SPDX-License-Identifier: MIT */\n"


def complaints(files):
    """What tidy says about a tree of these files (path: text), each C file listed in a build."""
    with tempfile.TemporaryDirectory() as root:
        sources = [path for path in files if path.endswith((".c", ".S"))]
        files = {"CMakeLists.txt": "# SPDX-License-Identifier: MIT\nadd_library(all "
                                   + " ".join(sources) + ")\n"} | files
        for path, text in files.items():
            (Path(root) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(root) / path).write_text(text, encoding="utf-8")
        tree = tidy.Tree(root)
        for check in tidy.CHECKS:
            check(tree)
        return "\n".join(tree.complaints)


def header(body=""):
    return SPDX + "#pragma once\n" + body


def source(body=""):
    return SPDX + body


def function(name, line_count):
    return f"void {name}(void)\n{{\n" + "    ;\n" * (line_count - 3) + "}\n"


class Rules(unittest.TestCase):
    def bad(self, expected, files):
        found = complaints(files)
        self.assertIn(expected, found)
        self.assertEqual(len(found.splitlines()), 1, found)

    def fine(self, files):
        self.assertEqual(complaints(files), "")

    def test_a_small_tree_is_fine(self):
        self.fine({
            "include/abi/error.h": header("#include <stdint.h>\n"),
            "include/hal/hal.h": header("#include <abi/error.h>\nvoid hal_halt(void);\n"),
            "lib/base/list.h": header("#include <stddef.h>\n"),
            "core/call.h": header("#include <base/list.h>\n"),
            "core/call.c": source('#include "call.h"\n#include <hal/hal.h>\n' + function("f", 60)),
            "hal/model/cpu.c": source("#include <stdio.h>\n#include <hal/hal.h>\n"),
            "tests/unit/call.c": source('#include "../../core/call.h"\n#include <check.h>\n'),
            "README.md": "# Axolotl\n",
            "scripts/x": "#!/bin/sh\n# SPDX-License-Identifier: MIT\n",
        })

    def test_spdx(self):
        self.bad("core/a.c:1: this line should be", {"core/a.c": "int a;\n"})
        self.bad("scripts/x:2: this line", {"scripts/x": "#!/bin/sh\necho\n"})
        self.bad("a.py:1: this line", {"a.py": "pass\n"})
        self.bad("CMakeLists.txt:1: this line", {"CMakeLists.txt": "project(x)\n"})

    def test_arrows_of_core(self):
        self.bad("core may not include a libc header: <stdio.h>",
                 {"core/a.c": source("#include <stdio.h>\n")})
        self.bad("core may not include <proto/...>",
                 {"core/a.c": source("#include <proto/file.h>\n")})
        self.bad("core may not include a libc header: <assert.h>",
                 {"core/a.c": source("#  include <assert.h>\n")})
        self.bad("is not a header of this folder", {"core/a.c": source('#include "nowhere.h"\n')})
        self.bad("climbs out of its folder", {"core/a.c": source('#include "../x.h"\n')})
        self.fine({"core/a.c": source("// #include <stdio.h>\n/* #include <stdio.h> */\n")})

    def test_arrows_of_the_rest(self):
        self.bad("include/hal may not include <proto/", {
            "include/hal/a.h": header("#include <proto/file.h>\n")})
        self.bad("include/abi may not include <hal/", {
            "include/abi/a.h": header("#include <hal/hal.h>\n")})
        self.bad("a contract is included as <...>", {
            "include/abi/a.h": header('#include "b.h"\n'), "include/abi/b.h": header()})
        self.bad("lib/base may not include <abi/", {
            "lib/base/a.h": header("#include <abi/error.h>\n")})
        self.bad("hal/hosted may not include a libc header", {
            "hal/hosted/a.c": source("#include <unistd.h>\n")})
        self.fine({"hal/hosted/host/a.c": source("#include <unistd.h>\n#include <sys/mman.h>\n")})
        self.bad("hal/hosted/host may not include <hal/", {
            "hal/hosted/host/a.c": source("#include <hal/hal.h>\n")})
        self.bad("servers may not include <hal/", {
            "servers/tty/a.c": source("#include <hal/hal.h>\n")})
        self.bad("apps may not include <server/", {
            "apps/a.c": source("#include <server/loop.h>\n")})
        self.bad("belongs to no layer", {"kernel/a.c": source()})

    def test_own_header_first(self):
        self.bad("include a.h first", {
            "core/a.h": header(), "core/a.c": source('#include <stdint.h>\n#include "a.h"\n')})

    def test_headers(self):
        self.bad("#pragma once comes first", {"core/a.h": SPDX + "int a;\n"})
        self.bad("a contract has no .c", {"include/abi/a.c": source()})

    def test_core_is_portable(self):
        self.bad("never an #if", {"core/a.c": source("# ifdef __x86_64__\n")})
        self.bad("never an #if", {"core/a.h": header("#elif 1\n")})
        self.bad("assembly belongs to the HAL", {"core/a.c": source('__asm__("nop");\n')})
        self.bad("assembly belongs to the HAL", {"core/a.S": source()})
        self.fine({"hal/native/a.S": source("#ifdef X\n#endif\n")})
        self.fine({"core/a.c": source('char *a = "#if asm";\n/*\n#if\n*/\n')})

    def test_banned_calls(self):
        self.bad("malloc(): there is no C library", {"core/a.c": source("x = malloc(1);\n")})
        self.bad("sprintf(): snprintf", {"hal/model/a.c": source("sprintf(a, b);\n")})
        self.bad("usleep(): wait", {"tests/unit/a.c": source("usleep (1);\n")})
        self.fine({"core/a.c": source("heap_free(1); a->free(2); a.free(2); /* free(3) */\n")})
        self.fine({"hal/model/a.c": source("x = malloc(1);\n")})

    def test_goto(self):
        self.bad("goto only goes forward", {
            "core/a.c": source("int f(void)\n{\nagain:\n    goto again;\n}\n")})
        self.fine({"core/a.c": source("int f(void)\n{\n    goto out;\nout:\n    return 0;\n}\n")})

    def test_text(self):
        self.bad("names a place outside", {"docs/a.md": "see " + "../" + "shared/x\n"})
        self.bad("white space at the end", {"core/a.c": source("int a; \n")})
        self.bad("101 columns", {"core/a.c": source("int " + "a" * 96 + ";\n")})
        self.fine({"core/a.c": source("int " + "a" * 95 + ";\n")})
        self.bad("a tab", {"core/a.c": source("\tint a;\n")})
        self.bad("no newline at the end", {"core/a.c": source("int a;")})

    def test_sizes(self):
        self.bad("601 lines; at most 600", {"core/a.c": source("\n" * 600)})
        self.fine({"core/a.c": source("\n" * 599)})
        self.bad("core/a.c:2: long_one has 101 lines", {
            "core/a.c": source(function("long_one", 101))})
        self.fine({"core/a.c": source(function("long_one", 100))})
        self.fine({"tests/a.c": source(function("long_one", 200))})
        self.bad("core/ipc_fast.c: 151 lines", {"core/ipc_fast.c": source("\n" * 150)})
        self.bad("lines of C; at most 7000", {
            f"core/a{number}.h": header("int a;\n" * 500) for number in range(15)})
        self.fine({f"core/a{number}.h": header("/* a */\n\n" * 299) for number in range(24)})

    def test_hal_functions(self):
        def contract(count):
            return header("".join(f"int hal_f{i}(int a);\n" for i in range(count))
                          + "/* hal_comment() */ struct hal_boot { int a; };\n")
        self.bad("36 functions; at most 35", {"include/hal/hal.h": contract(36)})
        self.fine({"include/hal/hal.h": contract(35)})

    def test_unlisted_files(self):
        spdx = "# SPDX-License-Identifier: MIT\n"
        self.bad("core/a.c: no CMakeLists.txt lists this", {
            "core/a.c": source(), "CMakeLists.txt": spdx + "# core/a.c\nadd_library(b b/a.c)\n"})
        self.fine({"core/a.c": source(), "CMakeLists.txt": spdx,
                   "core/CMakeLists.txt": spdx + "add_library(core a.c)\n"})
        self.bad("without GLOB", {"CMakeLists.txt": spdx + "file(GLOB x *.c)\n"})


class CText(unittest.TestCase):
    def test_functions(self):
        text = ("struct a {\n    int b;\n};\n\n/* f { */\nstatic int\nf(int a,\n  int b)\n{\n"
                '    char *c = "}\n{";\n    return 0;\n}\n\nSTART_TEST(t_name)\n{\n}\nEND_TEST\n')
        found = [(f.name, f.lines) for f in ctext.functions(text.replace('"}\n{"', '"}{"'))]
        self.assertEqual(found, [("f", 6), ("START_TEST(t_name)", 3)])

    def test_initialisers_are_not_functions(self):
        self.assertEqual(ctext.functions("static int a[] =\n{\n    1,\n}\n;\n"), [])

    def test_comments(self):
        self.assertEqual(ctext.includes('/*\n#include <a.h>\n*/\n#include "b.h"\n'),
                         [(4, '"', "b.h")])
        self.assertEqual(ctext.bare('a("// x /*"); /* y */').count("x"), 0)


class Summary(unittest.TestCase):
    """scripts/test believes what this counts."""

    def test_counts(self):
        check = "{}%: Checks: 5, Failures: {}, Errors: {}\n"
        for output, good, expected in [
            ("", True, (1, 0)),
            ("", False, (0, 1)),
            (check.format(100, 0, 0), True, (5, 0)),
            (check.format(40, 1, 2), False, (2, 3)),
            (check.format(100, 0, 0) * 2, False, (10, 1)),  # failed outside its checks
            ("x\n7 passed, 2 failed\n", False, (7, 2)),
            ("7 passed, 0 failed\n", False, (7, 1)),
        ]:
            self.assertEqual(summary.count(output, good), expected, output)


if __name__ == "__main__":
    unittest.main()
