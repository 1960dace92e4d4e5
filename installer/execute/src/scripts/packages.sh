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

# Accounts come with packages as well.
all_accounts() {
    { getent passwd | sed 's/^/user /;s/:.*//'; getent group | sed 's/^/group /;s/:.*//'; } | sort -u
}

# Scripts of packages leave things that no package has: copies of settings, empty profiles.
all_settings() { find "$R/etc/libvirt" "$R/etc/apparmor.d" 2>/dev/null | sort -u; }

owned() {
    case $F in
    apt) dpkg -S "$1" > /dev/null 2>&1 ;;
    *) rpm -qf "$1" > /dev/null 2>&1 ;;
    esac
}

# remove_settings: what came with our transactions and belongs to nobody once the packages are gone.
remove_settings() {
    if [ ! -f "$S/settings-added" ] || [ -f "$S/packages-added" ]; then return 0; fi
    F=$(family)
    sort -ru "$S/settings-added" > "$S/work/settings"
    while IFS= read -r path; do
        if [ -d "$path" ] && [ ! -L "$path" ]; then
            # Daemons make more folders in it when they start.
            find "$path" -depth -type d -empty -delete 2>/dev/null || :
        elif [ -e "$path" ] || [ -L "$path" ]; then
            if owned "$path"; then continue; fi
            rm -f -- "$path"
            changed "$path removed"
        fi
    done < "$S/work/settings"
    rm -f "$S/settings-added" "$S/settings-before"
}

# snapshot WHAT COMMAND: what is there now, so that what a transaction adds is known even if it is cut
# off.
snapshot() {
    [ ! -f "$S/$1-before" ] || return 0
    $2 > "$S/$1-before.new~"
    sync "$S/$1-before.new~"
    mv "$S/$1-before.new~" "$S/$1-before"
}

# added WHAT COMMAND: notes what is there since.
added() {
    [ -f "$S/$1-before" ] || return 0
    $2 > "$S/work/now"
    { cat "$S/$1-added" 2>/dev/null || :
      comm -13 "$S/$1-before" "$S/work/now"; } | sort -u > "$S/$1-added.new~"
    sync "$S/$1-added.new~"
    mv "$S/$1-added.new~" "$S/$1-added"
    rm -f "$S/$1-before" "$S/work/now"
}

# Services of new packages start when they are configured, not before. The variable decides, so
# that a file left behind by a power cut forbids nothing to anybody else. What runs reads its files
# again: polkit's script makes its account and has dbus learn of it, or polkit never gets its name.
forbid_starts() {
    export STRATUS_INSTALLING=1
    policy="$R/usr/sbin/policy-rc.d"
    [ ! -e "$policy" ] || grep -q '^# Stratus:' "$policy" || return 0
    mkdir -p "$R/usr/sbin"
    (umask 022 && printf '%s\n' '#!/bin/sh' '# Stratus: no service starts before it is configured.' \
        'case "${STRATUS_INSTALLING:+yes}:$2" in :* | yes:reload | yes:force-reload) exit 0 ;; esac' \
        'exit 101' > "$policy.stratus-new")
    chmod 755 "$policy.stratus-new"
    mv -f "$policy.stratus-new" "$policy"
}
allow_starts() {
    unset STRATUS_INSTALLING
    if grep -q '^# Stratus:' "$R/usr/sbin/policy-rc.d" 2>/dev/null; then
        rm -f "$R/usr/sbin/policy-rc.d"
    fi
}

# only_carried: packages come from what was carried to this host, and no other repository is asked:
# those that the host has by itself may be out of reach.
only_carried() { carried=1; }

apt() {
    set -- "$@" ${carried:+-o Dir::Etc::SourceList=$R/etc/apt/sources.list.d/stratus-offline.sources \
        -o Dir::Etc::SourceParts=/dev/null -o APT::Get::List-Cleanup=false}
    DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 \
        apt-get -y -q -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef \
        -o Dpkg::Options::=--force-confold "$@" < /dev/null
}

# What package managers and the scripts of packages say is told with the failure, in its order.
aloud() { "$@" >&2; }

# A transaction that was cut off leaves packages half configured; nothing else works before they are.
mend() {
    case $F in
    apt)
        [ -n "$(dpkg --audit 2>/dev/null)" ] || return 0
        doing "dpkg --configure -a"
        DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a < /dev/null >&2 || :
        if [ -n "$(dpkg --audit 2>/dev/null)" ]; then
            doing "apt-get --fix-broken install"
            aloud apt --fix-broken install
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
        snapshot accounts all_accounts
        snapshot settings all_settings
        snapshot packages all_installed
        doing "$F install$missing"
        case $F in
        apt) aloud apt install --no-install-recommends $missing ;;
        dnf) aloud dnf -y ${carried:+--disablerepo=* --enablerepo=stratus-offline} \
            --setopt=install_weak_deps=False install $missing < /dev/null ;;
        zypper) ZYPP_LOCK_TIMEOUT=600 zypper --non-interactive install --no-recommends \
            ${carried:+--repo stratus-offline} --auto-agree-with-licenses $missing < /dev/null >&2 ;;
        esac
        for name in "$@"; do
            installed "$name" || die "$F ended well, but the package $name is not installed"
        done
        changed "packages:$missing"
    fi
    added packages all_installed
    added accounts all_accounts
    added settings all_settings
    for name in "$@"; do note "$S/after/package:$name" installed; done
    allow_starts
}

rpm_keys() { rpm -qa 'gpg-pubkey*' --qf '%{NAME}-%{VERSION}-%{RELEASE}\n' | sort -u; }

# The keys that the site file gives, and no others: whatever else zypper meets it refuses.
import_keys() {
    snapshot rpm-keys rpm_keys
    for key in $(sed -n 's|^gpgkey=file://||p' "$R"/etc/zypp/repos.d/stratus-*.repo 2>/dev/null | sort -u); do
        doing "rpm --import $key"
        rpm --import "$R$key"
    done
    added rpm-keys rpm_keys
}

# Keys that were not there before us.
forget_keys() {
    [ -f "$S/rpm-keys-added" ] || return 0
    while IFS= read -r key; do
        if rpm -q --quiet "$key"; then rpm -e "$key"; changed "$key removed"; fi
    done < "$S/rpm-keys-added"
    rm -f "$S/rpm-keys-added" "$S/rpm-keys-before"
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
    dnf) dnf -y ${carried:+--disablerepo=* --enablerepo=stratus-offline} makecache < /dev/null ;;
    zypper)
        import_keys
        ZYPP_LOCK_TIMEOUT=600 zypper --non-interactive refresh ${carried:+stratus-offline} < /dev/null
        ;;
    esac
}

# Places in which people's data are: whatever would delete them is not run.
DATA_OF_PACKAGES="/var/lib/one /var/lib/mysql /var/lib/libvirt/images"

# takes_data NAME: whether the package, purged, takes such a place that holds something; in $place.
takes_data() {
    for place in $DATA_OF_PACKAGES; do
        if [ -n "$(find "$R$place" -mindepth 1 ! -type d -print -quit 2>/dev/null)" ] &&
            grep -qsF -e "$place" "$R/var/lib/dpkg/info/$1.postrm"; then return 0; fi
    done
    return 1
}

# Purges what the transactions added and only its configuration is left of. apt knows no other package
# any more once its repository is gone.
purge_added() {
    purge=
    while IFS= read -r name; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) || continue
        [ "$state" = config-files ] || continue
        if takes_data "$name"; then
            left "the configuration of the package $name: with it the data in $place would go"
        else
            purge="$purge $name"
        fi
    done < "$S/packages-added"
    if [ -n "$purge" ]; then
        doing "apt purge$purge"
        apt purge $purge
    fi
}

# Takes away what the transactions added, dependencies too, with the configuration that came along.
remove_packages() {
    [ -f "$S/packages-added" ] || return 0
    F=$(family)
    mend
    ours=
    while IFS= read -r name; do
        if installed "$name"; then ours="$ours $name"; fi
    done < "$S/packages-added"
    if [ -n "$ours" ]; then
        case $F in
        apt)
            others=$(apt -s remove $ours | sed -n 's/^Remv \([^ ]*\).*/\1/p' | sort -u | comm -23 - "$S/packages-added")
            if [ -n "$others" ]; then
                left "packages:$ours: these need them now:" $others
                return 0
            fi
            doing "$F remove$ours"
            apt remove $ours
            ;;
        *) rpm -e $ours || { left "packages:$ours: something else needs them"; return 0; } ;;
        esac
        changed "packages:$ours removed"
    fi
    [ "$F" != apt ] || purge_added
    rm -f "$S/packages-added" "$S"/after/package:*
}

# forget_lists FILE: what was read of the repositories that a file of ours names.
forget_lists() {
    case $1 in
    */apt/sources.list.d/*) ;;
    *) return 0 ;;
    esac
    [ -f "$1" ] || return 0
    for url in $(grep -oE 'https?://[^ ]+' "$1"); do
        rest=${url#*://}
        rm -f -- "$R/var/lib/apt/lists/$(printf '%s' "${rest%/}" | tr / _)_"*
    done
}
