# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034  # what this file sets is used by those who source it
# Sourced by every script here: messages, the commands we print, the package list.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
jobs=${JOBS:-$(nproc)}

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' dim=$'\e[2m' plain=$'\e[0m'
else
    bold='' red='' green='' dim='' plain=''
fi

say() { printf '%s\n' "$*"; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain"; }
bad() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; }
heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

# Ends the script: what went wrong, and (second argument) the exit code, 1 if not given.
die() {
    bad "$(basename "$0"): $1"
    exit "${2:-1}"
}

usage_error() {
    bad "$(basename "$0"): $1"
    say "Try $0 --help." >&2
    exit 2
}

# Prints a command the way one would type it.
announce() {
    printf '%s+ %s%s\n' "$dim" "${*@Q}" "$plain" | sed -E "s/'([A-Za-z0-9_.,:=@%+\/^-]+)'/\1/g"
}

run() {
    announce "$@"
    "$@"
}

# The comment block at the top of the calling script, after the SPDX line, is its help text.
help_text() {
    awk 'NR > 2 && !/^#/ { exit } NR > 2 { sub(/^# ?/, ""); print }' "$0"
}

# Ctrl-C ends the script and, because they are in its process group, all that it started.
trap 'trap - INT; bad "interrupted"; kill -INT $$' INT

package_names() { awk '!/^#/ && NF { print $1 }' "$root/scripts/lib/packages"; }

package_purpose() {
    awk -v name="$1" '$1 == name { $1 = ""; sub(/^ +/, ""); print }' "$root/scripts/lib/packages"
}

packages_missing() {
    local name
    for name in $(package_names); do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
            printf '%s\n' "$name"
    done
}
