# SPDX-License-Identifier: MIT
"""Just enough understanding of C text: comments, strings, includes, functions."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass
class Function:
    name: str
    first: int  # line numbers, from 1, both included
    last: int

    @property
    def lines(self):
        return self.last - self.first + 1


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_comments(text):
    """The same text with comments blanked out; line numbers stay."""
    def blank(match):
        token = match.group()
        return re.sub(r"[^\n]", " ", token) if token.startswith("/") else token
    return TOKEN.sub(blank, text)


def bare(text):
    """The same text without comments and without what strings and characters hold."""
    def blank(match):
        token = match.group()
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[-1]
    return TOKEN.sub(blank, text)


def code_lines(text):
    """How many lines have something on them that is not a comment."""
    return sum(1 for line in without_comments(text).split("\n") if line.strip())


def includes(text):
    """(line, '<' or '"', name) for each include."""
    code = without_comments(text)
    return [(line_of(code, match.start(2)), match.group(1), match.group(2))
            for match in INCLUDE.finditer(code)]


def function_name(signature):
    """The name before the parameter list: the last one before the first parenthesis, or, for
    macros such as START_TEST(name), the macro with its argument."""
    before, _, after = signature.partition("(")
    names = NAME.findall(before)
    if not names:
        return "?"
    if len(names) == 1 and names[0].isupper():
        return f"{names[0]}({after.partition(')')[0]})"
    return names[-1]


def functions(text):
    """The functions a formatted file defines: a body's braces stand in column 0."""
    lines = bare(text).split("\n")
    found = []
    start = None
    for index, line in enumerate(lines):
        if line.startswith("{"):
            start = index
        elif line.startswith("}") and start is not None:
            first = start
            while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in "#}/":
                first -= 1
                if not lines[first].startswith((" ", "\t")):
                    break
            signature = " ".join(lines[first:start])
            if "(" in signature:
                found.append(Function(function_name(signature), first + 1, index + 1))
            start = None
    return found
