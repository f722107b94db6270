#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the hosted machine beside the host's own primitives; scripts/bench runs this.

Each group of rows is measured in repetitions: the yardsticks, then the machine, and again. A ratio
is that of one repetition; told is the median of these, and the lowest and highest.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINE = re.compile(r"^bench (\S+) (\S+) \S+$", re.MULTILINE)
MANIFEST = """[init]
program = {program}
priority = 20
log = yes
system = read control
"""
SERVER = """calls = counter
[server counter]
program = /bin/counter
priority = 40
memory = 16M
objects = 2000
stash = 2M
"""
STARTS = 20  # how often a yardstick starts a program in one repetition
TIME_LIMIT = 120


class Failure(Exception):
    """Something did not run; its text says what."""


def figures(output):
    return {name: float(value) for name, value in LINE.findall(output)}


def pin(cpus):
    """Called in a child: all that it starts stays on these CPUs."""
    return lambda: os.sched_setaffinity(0, cpus)


class Bench:
    def __init__(self, build, folder, cpus):
        self.build, self.folder, self.cpus = build, folder, cpus
        self.yard = build / "tests/bench/bench_yard"
        self.hello = build / "tests/bench/bench_hello"

    def image(self, program):
        """The system image whose init is this program; made once."""
        path = self.folder / (program.replace("/", "_").replace(" ", "-") + ".image")
        if path.exists():
            return path
        manifest = path.with_suffix(".manifest")
        has_server = program.endswith(" restart")
        manifest.write_text(MANIFEST.format(program=program) + (SERVER if has_server else ""))
        files = {"/etc/manifest": (manifest, "644"),
                 "/lib/personality": (self.build / "lib/linux/personality.image", "755"),
                 "/bin/bench": (self.build / "tests/bench/bench_guest", "755"),
                 "/bin/hello": (self.hello, "755")}
        if has_server:
            files["/bin/counter"] = (self.build / "servers/counter/counter", "755")
        listing = path.with_suffix(".list")
        listing.write_text("".join(f"file {name} {source} {mode}\n"
                                   for name, (source, mode) in files.items()))
        subprocess.run([self.build / "tools/image/axolotl-image", "-o", path, "--list", listing],
                       check=True)
        return path

    def machine(self, program, cpus=1):
        """The command line that boots the machine for this program."""
        return [str(self.build / "hal/hosted/axolotl-hosted"), "--root",
                str(self.build / "root.image"), "--image", str(self.image(program)), "--cpus",
                str(cpus), "--log", "1"]

    def run(self, command, cpus):
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT,
                              preexec_fn=pin(cpus), check=False)
        if done.returncode != 0:
            raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n"
                          f"{done.stdout}{done.stderr}")
        return figures(done.stdout)

    def start(self, name, count, command, cpus):
        return self.run([self.yard, "start", name, str(count)] + command, cpus)

    def prompt(self, cpus):
        """Proportional memory of all processes of a machine that has come up and sleeps."""
        with subprocess.Popen(self.machine("/bin/bench ready"), stdout=subprocess.PIPE, text=True,
                              preexec_fn=pin(cpus)) as machine:
            try:
                for line in machine.stdout:
                    if LINE.match(line):
                        time.sleep(0.05)  # what goes on beside it comes to rest
                        return {"memory": memory_mib(machine.pid)}
            finally:
                machine.kill()
        raise Failure("the machine did not come up")

    def repetition(self, group):
        """All figures of one repetition of a group, the yardsticks' first."""
        cpus = self.cpus[:1]
        found = {}
        if group.get("yard") == "start":
            found = self.start("start", STARTS, [str(self.hello)], cpus)
        elif "yard" in group:
            found = self.run([self.yard, group["yard"]], cpus)
        if group["guest"] == "boot":
            found |= self.start("boot", 1, self.machine("/bin/hello"), cpus)
        elif group["guest"] == "ready":
            found |= self.prompt(cpus)
        else:
            count = group.get("cpus", 1)
            command = self.machine(f"/bin/bench {group['guest']}", count)
            found |= self.run(command, self.cpus[:count])
        return found

    def measure(self, group, repetitions):
        """A list of repetitions' figures. None: the host has too few CPUs."""
        if group.get("cpus", 1) > len(self.cpus):
            return None
        busy = [subprocess.Popen([self.yard, "burn"], preexec_fn=pin(self.cpus[:1]))
                for _ in range(group.get("busy", 0))]
        try:
            return [self.repetition(group) for _ in range(repetitions)]
        finally:
            for process in busy:
                process.kill()
                process.wait()


def memory_mib(kernel):
    """Of the kernel process and its children, from their smaps_rollup."""
    pids = [kernel]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == kernel:
                pids.append(int(stat.parent.name))
        except OSError:
            pass  # it ended meanwhile
    total = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1])
    return total / 1024


# ---- Results ---------------------------------------------------------------------------------

def summary(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def row_result(row, samples):
    """What is told of a row; {"note": text} if there is nothing to tell."""
    result = {key: row[key] for key in ("figure", "yardstick", "first", "goal")}
    if "later" in row:
        return result | {"note": f"not yet: {row['later']}"}
    if isinstance(samples.get(row["group"]), str):
        return result | {"note": samples[row["group"]]}
    own = [sample[row["guest"]] for sample in samples[row["group"]]]
    result["machine"] = summary(own)
    result["ratio"] = result["machine"]  # a row without a yardstick is its own
    if row["yard"]:
        yard = [sum(sample[name] for name in row["yard"]) for sample in samples[row["group"]]]
        result["host"] = summary(yard)
        result["ratio"] = summary([a / b for a, b in zip(own, yard)])
    if "longest" in row:
        result["longest"] = max(s[f"{row['guest']}.longest"] for s in samples[row["group"]])
        result["host_longest"] = max(s[f"{row['yard'][0]}.longest"] for s in samples[row["group"]])
        result["longest_bar"] = row["longest"]
    return result


def verdict(result):
    ratio = result["ratio"]["median"]
    if result.get("longest", 0) > result.get("longest_bar", 0):
        longest_ms, host_ms = result["longest"] / 1000, result["host_longest"] / 1000
        return f"missed: one took {longest_ms:.0f} ms (host's longest {host_ms:.0f})"
    if ratio <= result["goal"]:
        return "goal"
    return "first bar" if ratio <= result["first"] else "missed"


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def spread(values, is_ratio=False):
    mark = "x" if is_ratio else ""
    return (f"{number(values['median'])}{mark} "
            f"({number(values['least'])}-{number(values['most'])})")


def table_print(results):
    heads = ("figure", "machine", "host", "ratio", "first", "goal", "")
    lines = [heads]
    for result in results:
        mark = "x" if "host" in result or "note" in result else ""
        bars = (f"{number(result['first'])}{mark}", f"{number(result['goal'])}{mark}")
        if "note" in result:
            lines.append((result["figure"], "-", "-", "-", *bars, result["note"]))
            continue
        is_ratio = "host" in result
        lines.append((result["figure"], spread(result["machine"]),
                      f"{spread(result['host'])} {result['yardstick']}" if is_ratio
                      else result["yardstick"],
                      spread(result["ratio"], True) if is_ratio else "-", *bars, verdict(result)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def counts_print(counts):
    for count in counts:
        print(f"{count['figure']}: {count['value']:.2f}".rstrip("0").rstrip("."))


# ---- The command line ------------------------------------------------------------------------

def options_parse():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repetitions", type=int, default=0)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("group", nargs="*")
    return parser.parse_args()


def cpus_choose(wanted):
    """The CPUs to measure on: the wanted one, or the last, first."""
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    if wanted is None:
        return allowed
    if wanted not in allowed:
        raise Failure(f"CPU {wanted} may not be used; these may: {allowed}")
    return [wanted] + [cpu for cpu in allowed if cpu != wanted]


def samples_take(bench, groups, options):
    samples = {}
    for name, group in groups.items():
        repetitions = options.repetitions or group.get("repetitions", 7)
        if sys.stderr.isatty():
            print(f"measuring {name} ...", end="\r", file=sys.stderr, flush=True)
        taken = bench.measure(group, repetitions)
        samples[name] = "this host has too few CPUs" if taken is None else taken
    return samples


def main():
    options = options_parse()
    plan = json.loads((Path(__file__).parent / "rows.json").read_text())
    groups = plan["groups"]
    unknown = [name for name in options.group if name not in groups]
    if unknown:
        raise Failure(f"no group is called {unknown[0]}; there are: {', '.join(groups)}")
    if options.group:
        groups = {name: groups[name] for name in options.group}
    with tempfile.TemporaryDirectory(prefix="axolotl-bench-") as folder:
        bench = Bench(options.build.resolve(), Path(folder), cpus_choose(options.cpu))
        samples = samples_take(bench, groups, options)
    rows = [row for row in plan["rows"]
            if row.get("group") in groups or ("later" in row and not options.group)]
    results = [row_result(row, samples) for row in rows]
    counts = [{"figure": count["figure"],
               "value": statistics.median(s[count["guest"]] for s in samples[count["group"]])}
              for count in plan["counts"] if count["group"] in groups]
    table_print(results)
    print()
    counts_print(counts)
    if options.json:
        options.json.write_text(json.dumps({"rows": results, "counts": counts, "samples": samples},
                                           indent=2) + "\n")


if __name__ == "__main__":
    try:
        main()
    except (Failure, subprocess.SubprocessError, OSError) as failure:
        sys.exit(f"scripts/bench: {failure}")
