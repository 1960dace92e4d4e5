# What every step begins with. R is the root of the file system (empty but in tests).
set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
umask 022
S="$R/var/lib/stratus/installer"

# Tells the asker which command runs now, so that a silent one has a name.
doing() { printf '\001doing %s\n' "$*" >&2; }
die() { printf '%s\n' "$*" >&2; exit 1; }
changed() { printf 'changed %s\n' "$*"; }
left() { printf 'left %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }
words_digest() { printf '%s\n' "$@" | sha256sum | cut -d' ' -f1; }
digest() { sha256sum < "$1" | cut -d' ' -f1; }
folder_of() { d=${1%/*}; printf '%s\n' "${d:-/}"; }
beside() { printf '%s/.%s.stratus-new\n' "${1%/*}" "${1##*/}"; }

# cannot_write FILE: the shell itself only says "I/O error" where the disk is full.
cannot_write() {
    full=$(df -P -- "$(folder_of "$1")" 2>/dev/null | awk 'NR > 1 && $4 == 0 { print $6 }')
    die "$1 cannot be written${full:+: No space left on device, $full is full}"
}

mkdir -p "$R/var/lib/stratus"
(umask 077 && mkdir -p "$S/before" "$S/after" "$S/seen" "$S/work")
# One step at a time works on a host. An asker that was killed may have left one at work, and what
# that one has under way is not to be broken. The folder itself is the lock; it ends with the step.
exec 9< "$S"
at_work() {
    for fd in /proc/[0-9]*/fd/9; do
        [ "$(readlink "$fd" 2>/dev/null)" = "$S" ] || continue
        number=${fd#/proc/} number=${number%%/*}
        [ "$number" = $$ ] || printf ' %s (process %s)' "$(cat "/proc/$number/comm" 2>/dev/null)" "$number"
    done
}
tries=0
until flock -n 9 || { doing "waiting for an earlier step, still at work here:$(at_work)"; flock -w 5 9; }; do
    tries=$((tries + 1))
    [ $tries -lt 120 ] || die "an earlier step is still at work on this host:$(at_work); see what it waits for, and end it if need be"
done
# What a step that was cut off left half done is nobody's.
rm -f "$S/work"/*

# remember FILE LINE: adds a line to a list, once.
remember() {
    if grep -qxF -e "$2" "$1" 2>/dev/null; then return 0; fi
    (umask 077 && printf '%s\n' "$2" >> "$1") || cannot_write "$1"
    sync "$1"
}

# folder PATH: makes a folder and those above it; each that was not there is noted first.
folder() {
    [ ! -d "$1" ] || return 0
    folder "$(folder_of "$1")"
    remember "$S/folders-made" "$1"
    mkdir -- "$1"
}

# note FILE TEXT: one line in a small file, whole or not at all.
note() {
    if [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; then return 0; fi
    (umask 077 && printf '%s\n' "$2" > "$1.new~") || cannot_write "$1"
    sync "$1.new~"
    mv -f "$1.new~" "$1"
    sync "$(folder_of "$1")"
}

# keep KEY: begins a record of how something was before us, in $B; false if there is one already,
# which is never written again.
keep() {
    [ ! -e "$S/before/$1" ] || return 1
    B="$S/before/.new-$1"
    rm -rf "$B"
    (umask 077 && mkdir "$B")
}
kept() {
    sync "$B"/* "$B"
    mv -T "$B" "$S/before/$1"
    sync "$S/before"
}

# keep_path KEY PATH
keep_path() {
    keep "$1" || return 0
    printf '%s\n' "$2" > "$B/path"
    [ -z "${marks:-}" ] || printf '%s\n' "$marks" > "$B/marks"
    if [ -L "$2" ]; then
        kind=link
        readlink "$2" > "$B/target"
    elif [ -f "$2" ]; then
        kind=file
        cp -p -- "$2" "$B/content"
    elif [ -d "$2" ]; then
        kind=directory
    elif [ -e "$2" ]; then
        kind=other
    else
        kind=absent
    fi
    [ $kind = absent ] || stat -c '%a %u %g' -- "$2" > "$B/access"
    printf '%s\n' $kind > "$B/kind"
    kept "$1"
}

# access PATH MODE OWNER GROUP
access() {
    [ "$(stat -c '%a %U %G' -- "$1")" != "$2 $3 $4" ] || return 0
    chown -h "$3:$4" -- "$1"
    chmod "$2" -- "$1"
    changed "$1: owner and permissions"
}

# receive LENGTH DIGEST FILE: takes that much of the input.
receive() {
    rm -f -- "$3"
    (umask 077 && set -C && head -c "$1" > "$3")
    [ "$(digest "$3")" = "$2" ] || {
        rm -f -- "$3"
        die "the content of a file did not arrive whole; run it again"
    }
}

# keep_beside PATH ORIGINAL: a copy of a file that is replaced, unless one like it is there. $original
# names it.
keep_beside() {
    original=$2 count=1
    while [ -e "$original" ]; do
        if cmp -s -- "$1" "$original"; then return 0; fi
        count=$((count + 1)) original="$2.$count"
    done
    cp -pP -- "$1" "$(beside "$original")"
    sync "$(beside "$original")"
    mv -fT -- "$(beside "$original")" "$original"
}

# keep_original KEY PATH: a file of somebody that is replaced stays beside ours: what was there before
# us, and what was changed by hand since. $beside_it names it.
keep_original() {
    beside_it=
    [ -f "$2" ] || return 0
    if [ -e "$S/before/$1" ]; then
        [ -f "$S/after/$1" ] && [ "$(digest "$2")" != "$(cat "$S/after/$1")" ] || return 0
    fi
    keep_beside "$2" "$2.stratus-orig"
    [ ! -e "$S/before/$1" ] || beside_it=" (as it was changed by hand: $original)"
}

# settle NEW PATH MODE OWNER GROUP KEY whole|part: puts NEW in the place of PATH, unless PATH is so.
settle() {
    if [ -f "$2" ] && [ ! -L "$2" ] && cmp -s -- "$1" "$2"; then
        rm -f -- "$1"
        keep_path "$6" "$2"
        access "$2" "$3" "$4" "$5"
    else
        chown "$4:$5" -- "$1"
        chmod "$3" -- "$1"
        sync "$1"
        beside_it=
        [ "$7" = part ] || keep_original "$6" "$2"
        keep_path "$6" "$2"
        mv -fT -- "$1" "$2"
        sync "$(folder_of "$2")"
        if have restorecon; then restorecon "$2" 2>/dev/null || :; fi
        changed "$2$beside_it"
    fi
    note "$S/after/$6" "$(digest "$2")"
}
