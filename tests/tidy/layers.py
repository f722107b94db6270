# SPDX-License-Identifier: MIT
"""Who may include what. The longest folder that matches a file decides."""

# Headers that the C language promises without a library beneath.
FREESTANDING = {
    "float.h", "iso646.h", "limits.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h",
    "stddef.h", "stdint.h", "stdnoreturn.h",
}

# The first word of an angle include that is ours, and the folder it is found in.
PREFIXES = {
    "abi": "include/abi", "hal": "include/hal", "proto": "include/proto", "base": "lib/base",
    "sys": "lib/sys", "server": "lib/server", "stash": "lib/stash", "linux": "lib/linux",
    "virtio": "lib/virtio", "load": "lib/load", "elf": "lib/elf", "cpio": "lib/cpio",
    "crash": "lib/crash", "manifest": "lib/manifest", "run": "lib/run", "common": "tools/common",
    "image": "tools/image",
}

LIBC = "a libc header"  # in a row: the C library and Linux's own headers may be included
ANY = "anything"


class Layer:
    def __init__(self, folder, may, freestanding=True, own=True):
        self.folder = folder
        self.may = set(may.split())
        self.libc = not freestanding
        self.own = own  # quoted headers of its own folder


LAYERS = [
    #     folder             contracts and libraries below it
    Layer("include/abi",     "abi", own=False),
    Layer("include/hal",     "abi hal base", own=False),
    Layer("include/proto",   "abi proto", own=False),
    Layer("lib/base",        "base"),
    Layer("core",            "abi hal base"),
    Layer("hal/native",      "abi hal base"),
    Layer("hal/hosted",      "abi hal proto base"),
    Layer("hal/hosted/stub", "abi"),
    Layer("hal/hosted/host", "", freestanding=False),
    Layer("hal/model",       "abi hal base", freestanding=False),
    Layer("lib/sys",         "abi proto base sys"),
    Layer("lib/load",        "abi proto base sys elf load"),
    Layer("lib/crash",       "abi proto base sys crash"),
    Layer("lib/elf",         "abi base elf"),
    Layer("lib/cpio",        "base cpio"),
    Layer("lib/manifest",    "abi base manifest"),
    Layer("lib/run",         "proto base run"),
    Layer("lib/linux",       "abi proto base sys linux"),
    Layer("lib/stash",       "abi base stash"),
    Layer("lib/virtio",      "proto base virtio"),
    Layer("lib/server",      "abi proto base sys stash server"),
    Layer("servers/supervisor", "abi proto base sys elf cpio load crash manifest"),
    Layer("servers",         "abi proto base sys stash server virtio elf cpio manifest run",
          freestanding=False),
    Layer("apps/init",       "abi proto base sys elf cpio load crash run", freestanding=False),
    Layer("apps",            "abi proto base sys run", freestanding=False),
    Layer("tools",           "abi proto base elf cpio manifest run common image",
          freestanding=False),
]

# Folders in which any header may be included: tests look inside what they test.
UNLAYERED = ("tests",)

# Code that has no C library beneath it.
NO_LIBC = ("core", "lib/base", "lib/sys", "lib/crash", "lib/elf", "lib/cpio", "lib/manifest",
           "lib/stash", "lib/run", "lib/virtio", "lib/server", "lib/linux", "hal/native",
           "hal/hosted/stub", "include")


def inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def layer_of(path):
    """The layer a source file belongs to; None if it lies outside all of them."""
    found = [layer for layer in LAYERS if inside(path, layer.folder)]
    return max(found, key=lambda layer: len(layer.folder), default=None)
