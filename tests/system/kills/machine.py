# SPDX-License-Identifier: MIT
"""A hosted machine with servers and a first program of a test's own."""

import subprocess


def section(name, program, *lines):
    """A server's part of a manifest: what the servers here may use, and further lines."""
    return "\n".join([f"[server {name}]", f"program = {program}", "priority = 40", "memory = 16M",
                      "objects = 2000", "stash = 2M", "log = yes", *lines]) + "\n\n"


def image_make(build, folder, manifest, programs):
    """The system image: `programs` are paths in the image, with the files they come from."""
    (folder / "manifest").write_text(manifest)
    lines = [f"file /etc/manifest {folder}/manifest 644",
             f"file /lib/personality {build}/lib/linux/personality.image 755"]
    lines += [f"file {path} {source} 755" for path, source in programs.items()]
    listing = folder / "list"
    listing.write_text("\n".join(lines) + "\n")
    image = folder / "image"
    subprocess.run([f"{build}/tools/image/axolotl-image", "-o", image, "--list", listing],
                   check=True)
    return image


def machine_start(build, cpus, image, root=None):
    """Its standard output is the kernel's log and what the first program prints."""
    return subprocess.Popen(
        [f"{build}/hal/hosted/axolotl-hosted", "--cpus", str(cpus), "--root",
         root or f"{build}/root.image", "--image", image, "--log", "1"],
        stdout=subprocess.PIPE, text=True)
