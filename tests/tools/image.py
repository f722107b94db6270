#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""axolotl-image: what it builds, read by lib/cpio and by another cpio.

Usage: image.py AXOLOTL_IMAGE CPIO_LIST STATIC_PROGRAM STATIC_PIE_PROGRAM
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import common

PAGE = 4096

# A tree with some of everything: path, mode, and the content, a link's text, or None for a folder.
TREE = [
    ("bin", 0o755, None),
    ("bin-more", 0o644, b"sorts between bin and bin/sh"),
    ("bin/big", 0o755, bytes(range(256)) * 100),
    ("bin/page", 0o711, b"p" * PAGE),
    ("bin/set-id", 0o4755, b"s" * (PAGE + 1)),
    ("bin/sh", 0o777, "big"),
    ("empty", 0o600, b""),
    ("empty-folder", 0o1777, None),
    ("etc", 0o700, None),
    ("etc/motd", 0o640, b"hello\n"),
    ("etc/nowhere", 0o777, "/does/not/exist"),
    ("etc/with blank", 0o444, "über".encode()),
    ("small", 0o644, b"x" * (PAGE - 1)),
]


def make_tree(folder, tree):
    """In the order given, as far as folders allow it."""
    folder.mkdir(parents=True)
    for path, mode, content in tree:
        where = folder / path
        where.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            where.mkdir(exist_ok=True)
        elif isinstance(content, str):
            where.symlink_to(content)
        else:
            where.write_bytes(content)
    for path, mode, content in tree:
        if not isinstance(content, str):
            (folder / path).chmod(mode)


class Entry:
    def __init__(self, line):
        (self.mode, self.owner, self.inode, self.links, self.mtime, self.size, self.offset,
         self.name) = line.split(" ", 7)
        self.mode = int(self.mode, 8)
        self.size, self.offset = int(self.size), int(self.offset)


class Image(common.ToolTest):
    def setUp(self):
        super().setUp()
        make_tree(self.folder / "tree", TREE)

    def build(self, *arguments, name="image"):
        self.succeeds("-o", name, *arguments)
        return (self.folder / name).read_bytes()

    def read(self, *arguments, name="image"):
        result = subprocess.run([sys.argv[2], self.folder / name, *arguments],
                                capture_output=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result.stdout

    def entries(self, name="image"):
        return [Entry(line) for line in self.read(name=name).decode().splitlines()]

    def names(self):
        return [entry.name for entry in self.entries()]

    def test_our_reader_finds_the_tree(self):
        self.build("--root", "tree")
        entries = self.entries()
        self.assertEqual([entry.name for entry in entries], [path for path, *_ in TREE])
        for number, (entry, (path, mode, content)) in enumerate(zip(entries, TREE)):
            kind = (0o040000 if content is None else
                    0o120000 if isinstance(content, str) else 0o100000)
            self.assertEqual(entry.mode, kind | mode, path)
            self.assertEqual((entry.owner, entry.mtime), ("0:0", "0"), path)
            self.assertEqual(entry.inode, str(number + 1), path)
            self.assertEqual(entry.links, "2" if content is None else "1", path)
            wanted = b"" if content is None else os.fsencode(content)
            self.assertEqual(self.read("/" + path), wanted, path)

    def test_content_of_a_page_or_more_begins_a_page(self):
        image = self.build("--root", "tree")
        found = 0
        for entry in self.entries():
            if entry.mode & 0o170000 == 0o100000 and entry.size >= PAGE:
                self.assertEqual(entry.offset % PAGE, 0, entry.name)
                found += 1
        self.assertEqual(found, 3)
        self.assertEqual(len(image) % PAGE, 0)

    def test_end_of_a_mapped_file_shows_no_other_content(self):
        for number in range(40):
            (self.folder / f"tree/bin/set-id-{number}").write_bytes(b"secret")
        self.build("--root", "tree")
        mapped = shown = 0
        for entry in self.entries():
            if entry.size and entry.offset < mapped:
                shown += 1
            if entry.mode & 0o170000 == 0o100000 and entry.size >= PAGE:
                mapped = -(-(entry.offset + entry.size) // PAGE) * PAGE
        self.assertEqual(shown, 0)

    def test_alignment_whatever_the_name(self):
        """Names of every length modulo 4 and around the end of a page."""
        for length in (1, 2, 3, 4, 100, 255):
            self.build("--add", f"tree/bin/page=/{'n' * length}",
                       "--add", "tree/bin/big=/z", "--add", f"tree/bin/big=/{'d/' * 1900}f")
            for entry in self.entries():
                if entry.mode & 0o170000 == 0o100000:
                    self.assertEqual(entry.offset % PAGE, 0, entry.name)
            self.assertEqual(self.read("/z"), bytes(range(256)) * 100)

    def test_another_cpio_finds_the_tree(self):
        image = self.build("--root", "tree")
        listed = subprocess.run(["cpio", "-it", "--quiet"], input=image, capture_output=True,
                                check=True)
        self.assertEqual(listed.stdout.decode().splitlines(), [path for path, *_ in TREE])
        self.assertEqual(listed.stderr, b"")
        out = self.folder / "out"
        out.mkdir()
        subprocess.run(["cpio", "-id", "--quiet", "--no-absolute-filenames"], input=image, cwd=out,
                       check=True)
        differ = subprocess.run(["diff", "-r", "--no-dereference", self.folder / "tree", out],
                                capture_output=True, check=False)
        self.assertEqual((differ.returncode, differ.stdout), (0, b""))
        for path, mode, content in TREE:
            if not isinstance(content, str) and mode & 0o4000 == 0:
                self.assertEqual((out / path).stat().st_mode & 0o7777, mode, path)

    def test_our_reader_reads_another_cpio(self):
        names = "\n".join(path for path, *_ in TREE).encode()
        with (self.folder / "image").open("wb") as image:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names, stdout=image,
                           cwd=self.folder / "tree", check=True)
        self.assertEqual(self.names(), [path for path, *_ in TREE])
        self.assertEqual(self.read("etc/motd"), b"hello\n")

    def test_hard_links_of_another_cpio(self):
        (self.folder / "tree/etc/again").hardlink_to(self.folder / "tree/etc/motd")
        with (self.folder / "image").open("wb") as image:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=b"etc/motd\netc/again\n",
                           stdout=image, cwd=self.folder / "tree", check=True)
        self.assertEqual(self.read("etc/motd"), b"hello\n")
        self.assertEqual(self.read("etc/again"), b"hello\n")
        self.build("--root", "tree", name="ours") # we write each with its content
        self.assertEqual(self.read("etc/again", name="ours"), b"hello\n")

    def test_same_files_same_bytes(self):
        first = self.build("--root", "tree")
        self.assertEqual(self.build("--root", "tree"), first)
        other = self.folder / "some/where/else"
        make_tree(other, list(reversed(TREE)))
        for path in other.rglob("*"):
            os.utime(path, (1, 2), follow_symlinks=False)
        environment = dict(os.environ, TZ="Asia/Tokyo", LC_ALL="de_DE.UTF-8")
        self.assertEqual(self.build("--root", other), first)
        self.succeeds("-o", "image2", "--root", other, env=environment)
        self.assertEqual((self.folder / "image2").read_bytes(), first)
        one_by_one = []
        for path, *_ in reversed(TREE):
            if "/" not in path:
                one_by_one += ["--add", f"{other}/{path}=/{path}"]
        self.assertEqual(self.build(*one_by_one), first)

    def test_archives_follow_each_other(self):
        first = self.build("--root", "tree")
        (self.folder / "new").write_bytes(b"new" * PAGE)
        second = self.build("--add", "new=/etc/motd", "--add", "new=/srv/me/new")
        (self.folder / "image").write_bytes(first + second)
        self.assertEqual(self.read("/etc/motd"), b"new" * PAGE)
        self.assertEqual(self.read("/bin/page"), b"p" * PAGE)
        self.assertEqual(self.entries()[-1].offset % PAGE, 0)

    def test_missing_folders_are_made(self):
        self.build("--add", "tree/etc/motd=/a/b/motd", "--add", "tree/etc=/a/c")
        self.assertEqual([(e.name, oct(e.mode)) for e in self.entries()], [
            ("a", "0o40755"), ("a/b", "0o40755"), ("a/b/motd", "0o100640"),
            ("a/c", "0o40700"), ("a/c/motd", "0o100640"), ("a/c/nowhere", "0o120777"),
            ("a/c/with blank", "0o100444")])

    def test_later_takes_the_place_of_earlier(self):
        (self.folder / "motd").write_text("other")
        self.build("--root", "tree", "--add", "motd=/etc/motd", "--add", "motd=//etc/./sh/")
        self.assertEqual(self.read("/etc/motd"), b"other")
        self.assertEqual(self.read("/etc/sh"), b"other")
        self.build("--add", "motd=/etc/motd", "--root", "tree")
        self.assertEqual(self.read("/etc/motd"), b"hello\n")
        self.build("--add", "motd=/etc/motd", "--add", "tree/etc=/etc")
        self.assertEqual(self.entries()[0].mode, 0o40700) # named, not only implied

    def test_links_named_are_followed_links_found_are_kept(self):
        self.build("--add", "tree/bin/sh=/sh")
        self.assertEqual(self.entries()[0].mode, 0o100755)
        self.fails("-o", "none", "--add", "tree/etc/nowhere=/x",
                   says="tree/etc/nowhere cannot be read: it is a link to nothing")

    def test_times(self):
        os.utime(self.folder / "tree/etc/motd", (1234567890, 1234567890))
        os.utime(self.folder / "tree/empty", (0, -5))
        self.build("--add", "tree/etc/motd=/a/motd", "--add", "tree/empty=/empty", "--keep-times")
        self.assertEqual([(e.name, e.mtime) for e in self.entries()],
                         [("a", "0"), ("a/motd", "1234567890"), ("empty", "0")])

    def test_list(self):
        lists = self.folder / "lists"
        lists.mkdir()
        (lists / "list").write_text(
            "# what goes where\n\n"
            "file /bin/prog ../tree/bin/big 0555  # with another mode\n"
            "file\t/etc ../tree/etc\n"
            "folder /tmp 1777\nfolder /var\n"
            "link /bin/sh prog")
        self.build("--list", "lists/list")
        self.assertEqual([(e.name, oct(e.mode)) for e in self.entries()], [
            ("bin", "0o40755"), ("bin/prog", "0o100555"), ("bin/sh", "0o120777"),
            ("etc", "0o40700"), ("etc/motd", "0o100640"), ("etc/nowhere", "0o120777"),
            ("etc/with blank", "0o100444"), ("tmp", "0o41777"), ("var", "0o40755")])
        self.assertEqual(self.read("/bin/sh"), b"prog")

    def test_lists_that_are_wrong(self):
        path = self.folder / "list"
        for line, says in [
                ("file /x", 'neither "file PATH HOST [MODE]"'),
                ("file /x y 0644 more", 'neither "file'),
                ("directory /x", 'neither "file'),
                ("link /x", 'neither "file'),
                ("folder /x 9", "the mode 9 is not octal"),
                ("folder /x 10000", "the mode 10000 is not octal"),
                ("folder x", 'the path "x" does not begin with a slash'),
                ("file /x missing", "missing cannot be read: No such file")]:
            path.write_text(f"folder /fine\n{line}\n")
            self.fails("-o", "image", "--list", "list", says=f"list:2: {says}")
        path.write_bytes(b"folder /a\0b")
        self.fails("-o", "image", "--list", "list", says="list is not a text")

    def test_bad_paths(self):
        for path, says in [
                ("tree/etc/motd=/", "the path / is the root, which is a folder"),
                ("tree/etc/motd=/a/../b", 'the path /a/../b climbs with ".."'),
                ("tree/etc/motd=/TRAILER!!!", "cannot be used"),
                ("tree/etc/motd=/" + "n" * 256, "more than 255 characters"),
                ("tree/etc/motd=/" + "n/" * 3000, "is too long"),
                ("tree/etc/motd=relative", "--add takes HOST=/PATH"),
                ("=/x", "the name of the file for /x is empty"),
                ("tree/etc/motd", "--add takes HOST=/PATH")]:
            self.fails("-o", "image", "--add", path, says=says)

    def test_files_that_do_not_go_together(self):
        self.fails("-o", "image", "--add", "tree/etc/motd=/a", "--add", "tree/etc/motd=/a/b",
                   says="/a would be a folder and something else")
        self.fails("-o", "image", "--root", "tree", "--add", "tree/etc/motd=/bin",
                   says="/bin would be a folder and something else")

    def test_files_that_cannot_be_read(self):
        self.fails("-o", "image", "--add", "missing=/x",
                   says="missing cannot be read: No such file or directory")
        self.fails("-o", "image", "--root", "missing", says="missing cannot be read")
        os.mkfifo(self.folder / "tree/fifo")
        self.fails("-o", "image", "--root", "tree",
                   says="tree/fifo is neither a file nor a folder nor a link")

    def test_files_without_permission(self):
        (self.folder / "secret").write_text("x")
        (self.folder / "secret").chmod(0)
        (self.folder / "locked").mkdir()
        (self.folder / "locked").chmod(0)
        self.addCleanup((self.folder / "locked").chmod, 0o700)
        options, tool = {}, self.tool
        if os.geteuid() == 0:
            self.folder.chmod(0o777)
            tool = shutil.copy(self.tool, self.folder) # where it lies may be out of their reach
            options = {"user": 65534, "group": 65534, "extra_groups": []}
        self.tool, tool = tool, self.tool
        self.fails("-o", "image", "--add", "secret=/x", **options,
                   says="secret cannot be opened: Permission denied")
        self.fails("-o", "image", "--add", "locked=/x", **options,
                   says="locked cannot be read: Permission denied")
        self.tool = tool

    def test_files_too_large_for_the_format(self):
        with (self.folder / "huge").open("wb") as huge:
            huge.truncate(1 << 32)
        self.fails("-o", "image", "--add", "huge=/huge",
                   says="huge is too large for the format (4 GiB)")

    def test_output_that_cannot_be_written(self):
        self.fails("-o", "no/such/folder", "--root", "tree", says="No such file or directory")
        self.fails("-o", "/dev/full", "--root", "tree",
                   says="/dev/full cannot be written: No space left on device")
        (self.folder / "image").write_text("old")
        tool, self.tool = self.tool, "prlimit"
        self.fails("--fsize=8192", tool, "-o", "image", "--root", "tree",
                   says="image cannot be written: File too large")
        self.tool = tool
        self.assertEqual((self.folder / "image").read_text(), "old")
        image = self.build("--root", "tree")
        self.assertEqual(self.succeeds("-o", "/dev/stdout", "--root", "tree"), image)

    def test_signal_leaves_nothing_behind(self):
        big = self.folder / "big"
        with big.open("wb") as file:
            file.truncate((1 << 32) - 1)
        before = sorted(os.listdir(self.folder))
        with subprocess.Popen([self.tool, "-o", "image", "--add", "big=/big"],
                              cwd=self.folder) as process:
            deadline = time.monotonic() + 30
            while len(os.listdir(self.folder)) == len(before) and time.monotonic() < deadline:
                pass
            self.assertNotEqual(sorted(os.listdir(self.folder)), before)
            process.send_signal(signal.SIGTERM)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def manifest(self, text, *arguments):
        (self.folder / "manifest").write_text(text)
        return ("-o", "image", "--add", "manifest=/etc/manifest", *arguments)

    def test_manifest_is_checked(self):
        server = "[server a]\nprogram = /bin/a x\npriority = 1\nmemory = 1M\nobjects = 9\n"
        init = "[init]\nprogram = /sbin//init\npriority = 1\n"
        static = ("--add", f"{sys.argv[3]}=/bin/a", "--add", f"{sys.argv[4]}=/sbin/init")
        self.succeeds(*self.manifest(server + init, *static))
        self.assertEqual(self.read("/etc/manifest").decode(), server + init)
        (self.folder / "image").unlink()
        self.fails(*self.manifest(server + "callz = b\n", *static),
                   says='/etc/manifest: line 6: unknown key "callz"')
        self.fails(*self.manifest("", *static), says="/etc/manifest: it describes no server")
        self.fails(*self.manifest(server + "calls = a\n", *static), says="in a circle: a -> a")
        self.fails("-o", "image", "--add", "tree/etc=/etc/manifest",
                   says="/etc/manifest is not a file")

    def test_the_example_in_the_documents_is_right(self):
        page = (Path(__file__).parents[2] / "docs/manifest.md").read_text()
        example = page.partition("## An example\n")[2].partition("## The text\n")[0]
        text = "".join(line.removeprefix("    ") + "\n" for line in example.splitlines())
        programs = [line.split()[2] for line in text.splitlines() if line.startswith("program")]
        self.assertEqual(len(programs), 4)
        added = [f"--add={sys.argv[3]}={program}" for program in programs]
        self.succeeds(*self.manifest(text, *added))

    def test_programs_of_the_manifest_are_checked(self):
        server = "[server a]\nprogram = /bin/a x\npriority = 1\nmemory = 1M\nobjects = 9\n"
        init = "\n[init]\nprogram = /sbin/init\npriority = 1\n"
        begin = '/etc/manifest: line 1: the program /bin/a of "a" cannot be started: it'
        static = f"{sys.argv[3]}=/bin/a"
        self.fails(*self.manifest(server), says=f"{begin} is not in the image")
        self.fails(*self.manifest(server, "--add", "tree=/bin/a"), says=f"{begin} is not a file")
        self.fails(*self.manifest(server, "--add", "tree/etc/motd=/bin/a"),
                   says=f"{begin}s mode does not let it be executed")
        self.fails(*self.manifest(server, "--add", "tree/bin/page=/bin/a"),
                   says=f"{begin} is not a program")
        self.fails(*self.manifest(server, "--add", f"{sys.executable}=/bin/a"),
                   says=f"{begin} is dynamically linked")
        self.fails(*self.manifest(server + init, "--add", static),
                   says='line 7: the program /sbin/init of "init" cannot be started')
        self.succeeds(*self.manifest(server, "--add", static))

    def test_command_line(self):
        self.helps()
        self.fails("--root", "tree", code=2, says="where to write the image?")
        self.fails("-o", "image", "tree", code=2, says="it takes options only")
        self.fails("-o", "image", "--frobnicate", code=2, says="--frobnicate")
        self.build() # empty is not wrong
        self.assertEqual(self.entries(), [])


if __name__ == "__main__":
    common.main(Image)
