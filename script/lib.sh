# shellcheck shell=bash
# Shared by the scripts: where the project is, and how they talk. Source it; it only defines.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
    bold='' dim='' red='' green='' yellow='' plain=''
fi

say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
warn() { printf '%swarning:%s %s\n' "$yellow" "$plain" "$*" >&2; }
die() {
    printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
    exit 1
}

# configure DIR [meson options…]: set the build folder up once, then only when it went stale.
configure() {
    local dir=$1
    shift
    if [ -f "$dir/build.ninja" ]; then
        return 0
    fi
    meson setup "$dir" "$root" "$@" >"$dir.setup.log" 2>&1 || {
        tail -n 30 "$dir.setup.log" >&2
        die "meson could not set up $dir; the lines above say why"
    }
    rm -f "$dir.setup.log"
}
