# By the system's name: a host may have the tools of another family too, to build its packages.
family() {
    names=
    if [ -r "$R/etc/os-release" ]; then names=$(. "$R/etc/os-release" && echo "${ID:-} ${ID_LIKE:-}"); fi
    case " $names " in
    *" debian "* | *" ubuntu "*) echo apt ;;
    *" rhel "* | *" fedora "*) echo dnf ;;
    *" suse "*) echo zypper ;;
    *) family_by_tools ;;
    esac
}

family_by_tools() {
    if have apt-get; then echo apt
    elif have dnf; then echo dnf
    elif have zypper; then echo zypper
    else die "there is neither apt-get nor dnf nor zypper on this host"
    fi
}

installed() {
    case $F in
    apt) [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c1-2)" = ii ] ;;
    *) rpm -q --quiet --whatprovides "$1" ;;
    esac
}

all_installed() {
    case $F in
    apt) dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' ;;
    *) rpm -qa --qf '%{NAME}\n' ;;
    esac | sort -u
}

# Services of new packages start when they are configured, not before. The variable decides, so
# that a file left behind by a power cut forbids nothing to anybody else.
forbid_starts() {
    export STRATUS_INSTALLING=1
    policy="$R/usr/sbin/policy-rc.d"
    [ ! -e "$policy" ] || return 0
    mkdir -p "$R/usr/sbin"
    (umask 022 && printf '%s\n' '#!/bin/sh' '# Stratus: no service starts before it is configured.' \
        '[ -z "${STRATUS_INSTALLING:-}" ] || exit 101' > "$policy.stratus-new")
    chmod 755 "$policy.stratus-new"
    mv -f "$policy.stratus-new" "$policy"
}
allow_starts() {
    unset STRATUS_INSTALLING
    if grep -q '^# Stratus:' "$R/usr/sbin/policy-rc.d" 2>/dev/null; then
        rm -f "$R/usr/sbin/policy-rc.d"
    fi
}

apt() {
    DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 \
        apt-get -y -q -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef \
        -o Dpkg::Options::=--force-confold "$@" < /dev/null
}

# A transaction that was cut off leaves packages half configured; nothing else works before they are.
mend() {
    case $F in
    apt)
        [ -n "$(dpkg --audit 2>/dev/null)" ] || return 0
        doing "dpkg --configure -a"
        DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a < /dev/null || :
        if [ -n "$(dpkg --audit 2>/dev/null)" ]; then
            doing "apt-get --fix-broken install"
            apt --fix-broken install
        fi
        ;;
    esac
}

# packages NAME...
packages() {
    F=$(family)
    forbid_starts
    mend
    missing=
    for name in "$@"; do
        installed "$name" || missing="$missing $name"
    done
    if [ -n "$missing" ]; then
        # What is there now, so that what this transaction adds is known even if it is cut off.
        if [ ! -f "$S/packages-before" ]; then
            all_installed > "$S/packages-before.new~"
            sync "$S/packages-before.new~"
            mv "$S/packages-before.new~" "$S/packages-before"
        fi
        doing "$F install$missing"
        case $F in
        apt) apt install --no-install-recommends $missing ;;
        dnf) dnf -y --setopt=install_weak_deps=False install $missing < /dev/null ;;
        zypper) ZYPP_LOCK_TIMEOUT=600 zypper --non-interactive install --no-recommends \
            --auto-agree-with-licenses $missing < /dev/null ;;
        esac
        for name in "$@"; do
            installed "$name" || die "$F ended well, but the package $name is not installed"
        done
        changed "packages:$missing"
    fi
    if [ -f "$S/packages-before" ]; then
        all_installed > "$S/work/now"
        { cat "$S/packages-added" 2>/dev/null || :
          comm -13 "$S/packages-before" "$S/work/now"; } | sort -u > "$S/packages-added.new~"
        sync "$S/packages-added.new~"
        mv "$S/packages-added.new~" "$S/packages-added"
        rm -f "$S/packages-before" "$S/work/now"
    fi
    allow_starts
}

refresh() {
    F=$(family)
    doing "$F: reading the package repositories"
    case $F in
    apt)
        # apt does not wait for the lock of its lists by itself.
        tries=0
        until apt update > "$S/work/update" 2>&1; do
            tries=$((tries + 1))
            if [ $tries -ge 60 ] || ! grep -q 'Could not get lock' "$S/work/update"; then
                cat "$S/work/update" >&2
                exit 1
            fi
            doing "apt-get update: waiting for another one to end"
            sleep 2
        done
        # apt-get update ends well where a repository did not answer.
        if grep -E '^(W|E): ' "$S/work/update" >&2 && grep -q -E '^(W: Failed|E: )' "$S/work/update"; then
            exit 1
        fi
        ;;
    dnf) dnf -y makecache < /dev/null ;;
    zypper) ZYPP_LOCK_TIMEOUT=600 zypper --non-interactive --gpg-auto-import-keys refresh < /dev/null ;;
    esac
}

# Takes away what we added, unless somebody else needs it now.
remove_packages() {
    F=$(family)
    mend
    for name in "$@"; do
        grep -qxF -e "$name" "$S/packages-added" 2>/dev/null || continue
        if installed "$name"; then ours="${ours:-} $name"; fi
    done
    [ -n "${ours:-}" ] || return 0
    # Everything that the transactions added goes with them, dependencies too.
    ours=
    while IFS= read -r name; do
        if installed "$name"; then ours="$ours $name"; fi
    done < "$S/packages-added"
    doing "$F remove$ours"
    case $F in
    apt)
        others=$(apt -s remove $ours | sed -n 's/^Remv \([^ ]*\).*/\1/p' | sort -u | comm -23 - "$S/packages-added")
        if [ -n "$others" ]; then
            left "packages:$ours: these need them now:" $others
            return 0
        fi
        apt remove $ours
        ;;
    *) rpm -e $ours || { left "packages:$ours: something else needs them"; return 0; } ;;
    esac
    rm -f "$S/packages-added"
    changed "packages:$ours removed"
}
