#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Style and layering as a test.

Usage: tidy.py ROOT

Looks at every file that git knows of or would add, prints a complaint a line and then the figures.
Exit 1 if there was a complaint.
"""

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import ctext
import layers

FILE_LINES_MAX, FILE_LINES_REPORT = 600, 500
FUNCTION_LINES_MAX, FUNCTION_LINES_REPORT = 100, 60
COLUMNS_MAX = 100
CORE_LINES_MAX = 7000  # with something on them that is not a comment
HAL_FUNCTIONS_MAX = 35
SHORT_PATH, SHORT_PATH_LINES_MAX = "core/ipc_fast.c", 150

C_SUFFIXES = (".c", ".h", ".S")
SPDX = "SPDX-License-Identifier: MIT"

# Nothing in this tree needs these: what to use instead.
BANNED = {
    "strcpy": "copy with a length", "strcat": "copy with a length", "gets": "read with a length",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "strtok": "split by hand",
    "alloca": "an array of a fixed size", "sleep": "wait for the thing itself",
    "usleep": "wait for the thing itself", "nanosleep": "wait for the thing itself",
    "rand": "<base/random.h> with a seed", "random": "<base/random.h> with a seed",
}
# And these need a C library.
BANNED_WITHOUT_LIBC = {
    name: "there is no C library here" for name in (
        "malloc calloc realloc free printf fprintf snprintf vprintf puts putchar abort exit atexit "
        "getenv setjmp longjmp atoi strtol strtoul strdup strncpy strncat assert errno perror "
        "memalign posix_memalign qsort bsearch").split()
}
# Words that say where a file was written rather than what it is about.
FORBIDDEN_WORDS = ("../" + "shared", "/" + "work/", "/" + "root/", "/" + "home/")


class Tree:
    """The files of a source tree and what is wrong with them."""

    def __init__(self, root):
        self.root = Path(root).resolve()
        self.complaints = []
        self.reports = []
        self.texts = {}
        for path in self.list_files():
            try:
                self.texts[path] = (self.root / path).read_text(encoding="utf-8")
            except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
                continue  # an image, a fuzzer's input, or a file deleted but not committed so

    def list_files(self):
        command = ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others",
                   "--exclude-standard"]
        result = subprocess.run(command, capture_output=True, check=False)
        if result.returncode == 0:
            return sorted(set(os.fsdecode(result.stdout).split("\0")) - {""})
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")
                      if path.is_file()
                      and path.relative_to(self.root).parts[0] not in (".git", "build"))

    def complain(self, path, line, text):
        self.complaints.append(f"{path}:{line}: {text}" if line else f"{path}: {text}")

    def report(self, path, line, text):
        self.reports.append(f"{path}:{line}: note: {text}")

    def files(self, suffixes, folders=("",)):
        for path, text in self.texts.items():
            if path.endswith(suffixes) and any(
                    not folder or layers.inside(path, folder) for folder in folders):
                yield path, text

    def exists(self, path):
        return (self.root / path).is_file()


def is_script(path, text):
    return path.endswith((".py", ".sh")) or text.startswith("#!")


def check_spdx(tree):
    for path, text in tree.texts.items():
        lines = text.split("\n", 2)
        if path.endswith(C_SUFFIXES):
            want, line = f"/* {SPDX} */", 1
        elif is_script(path, text):
            want, line = f"# {SPDX}", 2 if text.startswith("#!") else 1
        elif path.endswith((".cmake", "CMakeLists.txt")):
            want, line = f"# {SPDX}", 1
        else:
            continue
        if len(lines) < line or lines[line - 1] != want:
            tree.complain(path, line, f"this line should be: {want}")


def check_text(tree):
    for path, text in tree.texts.items():
        if "/corpus/" in path:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            for word in FORBIDDEN_WORDS:
                if word in line:
                    tree.complain(path, number, f"names a place outside the tree: {word}")
            if path.endswith(".patch"):
                continue  # other people's white space
            if line != line.rstrip() and not path.endswith(".md"):
                tree.complain(path, number, "white space at the end")
            if path.endswith(C_SUFFIXES + (".py",)) or is_script(path, text):
                if len(line) > COLUMNS_MAX:
                    tree.complain(path, number, f"{len(line)} columns; at most {COLUMNS_MAX}")
                if "\t" in line and not path.endswith(".S"):
                    tree.complain(path, number, "a tab")
        if text and not text.endswith("\n"):
            tree.complain(path, 0, "no newline at the end")


def check_include(tree, path, layer, line, kind, name):
    if ".." in name.split("/"):
        tree.complain(path, line, f'"{name}" climbs out of its folder')
        return
    if kind == '"':
        own = str(Path(path).parent / name)
        if not layer.own:
            tree.complain(path, line, f'"{name}": a contract is included as <...>')
        elif not tree.exists(own):
            tree.complain(path, line, f'"{name}" is not a header of this folder')
        return
    prefix = name.partition("/")[0] if "/" in name else ""
    folder = layers.PREFIXES.get(prefix)
    # sys/ and linux/ are also the names of system folders: ours if we have the file.
    ours = folder and (prefix not in ("sys", "linux") or
                       tree.exists(f"{folder}/{name.partition('/')[2]}"))
    if ours:
        if prefix not in layer.may:
            tree.complain(path, line, f"{layer.folder} may not include <{prefix}/...>")
    elif name not in layers.FREESTANDING and not layer.libc:
        tree.complain(path, line, f"{layer.folder} may not include {layers.LIBC}: <{name}>")


def check_includes(tree):
    for path, text in tree.files((".c", ".h", ".S")):
        layer = layers.layer_of(path)
        if layer is None:
            if not any(layers.inside(path, folder) for folder in layers.UNLAYERED):
                tree.complain(path, 0, "belongs to no layer (tests/tidy/layers.py)")
            continue
        for line, kind, name in ctext.includes(text):
            check_include(tree, path, layer, line, kind, name)


def check_own_header_first(tree):
    for path, text in tree.files(".c"):
        header = path[:-2] + ".h"
        if not tree.exists(header):
            continue
        first = next(iter(ctext.includes(text)), None)
        base = Path(header).name
        if first is None or Path(first[2]).name != base:
            tree.complain(path, first[0] if first else 1, f"include {base} first")


def check_headers(tree):
    for path, text in tree.files(".h"):
        code = ctext.without_comments(text).strip()
        if not code.startswith("#pragma once"):
            tree.complain(path, 1, "#pragma once comes first in a header")
    for path, _ in tree.files(".c", ("include",)):
        tree.complain(path, 1, "a contract has no .c")


def check_core_is_portable(tree):
    for path, text in tree.files(C_SUFFIXES, ("core", "lib/base")):
        for number, line in enumerate(ctext.bare(text).split("\n"), 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else)\b", line):
                tree.complain(path, number, "a variant is another file, never an #if")
            if re.search(r"\b(asm|__asm|__asm__)\b", line):
                tree.complain(path, number, "assembly belongs to the HAL")
        if path.endswith(".S"):
            tree.complain(path, 1, "assembly belongs to the HAL")


def check_calls(tree):
    for path, text in tree.files((".c", ".h")):
        banned = dict(BANNED)
        if any(layers.inside(path, folder) for folder in layers.NO_LIBC):
            banned.update(BANNED_WITHOUT_LIBC)
        pattern = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
        code = ctext.bare(text)
        for match in pattern.finditer(code):
            name = match.group(1)
            tree.complain(path, ctext.line_of(code, match.start()), f"{name}(): {banned[name]}")


def check_gotos(tree):
    for path, text in tree.files(".c"):
        lines = ctext.bare(text).split("\n")
        for function in ctext.functions(text):
            labels = {}
            for number in range(function.first, function.last + 1):
                label = re.match(r"\s*([A-Za-z_]\w*):(?!:)", lines[number - 1])
                if label and label.group(1) != "default":
                    labels[label.group(1)] = number
                jump = re.search(r"\bgoto\s+(\w+)\s*;", lines[number - 1])
                if jump and jump.group(1) in labels:
                    tree.complain(path, number, "goto only goes forward")


def check_sizes(tree):
    for path, text in tree.texts.items():
        if path.endswith(C_SUFFIXES) or is_script(path, text):
            lines = text.count("\n")
            if lines > FILE_LINES_MAX:
                tree.complain(path, 0, f"{lines} lines; at most {FILE_LINES_MAX}")
            elif lines > FILE_LINES_REPORT:
                tree.report(path, 1, f"{lines} lines")
    for path, text in tree.files((".c", ".h")):
        for function in ctext.functions(text):
            if function.lines <= FUNCTION_LINES_REPORT:
                continue
            what = f"{function.name} has {function.lines} lines"
            if function.lines > FUNCTION_LINES_MAX and not layers.inside(path, "tests"):
                tree.complain(path, function.first, f"{what}; at most {FUNCTION_LINES_MAX}")
            else:
                tree.report(path, function.first, what)
    core = sum(ctext.code_lines(text) for _, text in tree.files((".c", ".h"), ("core",)))
    if core > CORE_LINES_MAX:
        tree.complain("core", 0, f"{core} lines of C; at most {CORE_LINES_MAX}")
    short = tree.texts.get(SHORT_PATH, "").count("\n")
    if short > SHORT_PATH_LINES_MAX:
        tree.complain(SHORT_PATH, 0, f"{short} lines; at most {SHORT_PATH_LINES_MAX}")


def hal_functions(tree):
    names = set()
    for _, text in tree.files(".h", ("include/hal",)):
        names.update(re.findall(r"\b(hal_\w+)\s*\(", ctext.bare(text)))
    return sorted(names)


def check_hal(tree):
    count = len(hal_functions(tree))
    if count > HAL_FUNCTIONS_MAX:
        tree.complain("include/hal", 0, f"{count} functions; at most {HAL_FUNCTIONS_MAX}")


def check_builds(tree):
    """Every source is named by a build file of its folder or of one above it."""
    listed = set()
    for path, text in tree.texts.items():
        if not path.endswith((".cmake", "CMakeLists.txt")):
            continue
        folder = Path(path).parent
        code = re.sub(r"#[^\n]*", "", text)
        if re.search(r"\bGLOB(_RECURSE)?\b", code):
            tree.complain(path, 0, "files are listed one by one, without GLOB")
        for word in re.findall(r"[\w./${}+-]+\.[cS]\b", code):
            if word.startswith("${PROJECT_SOURCE_DIR}/"):
                listed.add(word.partition("/")[2])
            else:
                word = word.removeprefix("${CMAKE_CURRENT_SOURCE_DIR}/")
                listed.add(os.path.normpath(folder / word))
    for path, _ in tree.files((".c", ".S")):
        if path not in listed:
            tree.complain(path, 0, "no CMakeLists.txt lists this file")


def figures(tree):
    """What is worth knowing even when nothing is wrong."""
    files = list(tree.files((".c", ".h"), ("core",)))
    sizes = sorted(f.lines for _, text in files for f in ctext.functions(text))
    yield (f"core has {sum(ctext.code_lines(text) for _, text in files)} lines of C"
           f" (at most {CORE_LINES_MAX}, comments and blank lines not counted;"
           f" with them {sum(text.count(chr(10)) for _, text in files)}) in {len(files)} files")
    if len(sizes) > 1:
        yield (f"core has {len(sizes)} functions of median {statistics.median(sizes):.0f}, "
               f"p90 {sizes[len(sizes) * 9 // 10]}, longest {sizes[-1]} lines")
    if files:
        asserts = sum(len(re.findall(r"\bASSERT\(", ctext.bare(text))) for _, text in files)
        total = sum(text.count("\n") for _, text in files)
        yield f"core has {1000 * asserts / total:.1f} assertions per 1000 lines"
    yield f"the HAL has {len(hal_functions(tree))} functions (at most {HAL_FUNCTIONS_MAX})"
    if SHORT_PATH in tree.texts:
        yield (f"the short path has {tree.texts[SHORT_PATH].count(chr(10))} lines"
               f" (at most {SHORT_PATH_LINES_MAX})")


CHECKS = [
    check_spdx, check_text, check_includes, check_own_header_first, check_headers,
    check_core_is_portable, check_calls, check_gotos, check_sizes, check_hal, check_builds,
]


def main(arguments):
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    tree = Tree(arguments[0])
    if not tree.texts:
        print(f"{tree.root}: no files found")
        return 1
    for check in CHECKS:
        check(tree)
    for line in sorted(tree.reports) + sorted(tree.complaints):
        print(line)
    for line in figures(tree):
        print(f"figure: {line}")
    print(f"{len(tree.texts)} files, {len(tree.complaints)} complaints")
    return 1 if tree.complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
