export DEBIAN_FRONTEND=noninteractive LC_ALL=C
umask 022

say() { echo "stratus-node: $*"; }
fail() { code=$1; shift; echo "stratus-node: $*" >&2; exit "$code"; }

# put PATH: standard input becomes the file.
put() {
    mkdir -p "${1%/*}"
    cat > "$1.new"
    mv -f "$1.new" "$1"
}

# line PATH TEXT: the file has this line.
line() {
    grep -qsxF -e "$2" "$1" && return 0
    mkdir -p "${1%/*}"
    printf '%s\n' "$2" >> "$1"
}

find_system() {
    . /etc/os-release
    release="${ID:-}-${VERSION_ID:-}"
    of_release "$release"
    [ -n "$family" ] ||
        fail 3 "${PRETTY_NAME:-this system} has no packages of OpenNebula $series: take an image of $releases"
    of_family
}

installed() {
    for name in $packages; do
        case $manager in
        apt) [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$name" 2>/dev/null | cut -c1-2)" = ii ] || return 1 ;;
        *) rpm -q --quiet --whatprovides "$name" || return 1 ;;
        esac
    done
}

describe_repositories() {
    [ -n "$base" ] || return 0
    signing_key | put "$key_file"
    repository | sed "s|@PATH@|$path|" | put "$repository_file"
    [ "$manager" = apt ] || rpm --import "$key_file"
    [ -z "$extra_file" ] || extra_repository | put "$extra_file"
}

# The names are words.
# shellcheck disable=SC2086
install_packages() {
    case $manager in
    apt)
        apt-get -q -o DPkg::Lock::Timeout=600 update &&
            apt-get -qy --no-install-recommends -o DPkg::Lock::Timeout=600 \
                -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install $packages
        ;;
    dnf)
        { [ -z "$first" ] || dnf -qy install $first; } &&
            dnf -qy --setopt=install_weak_deps=False install $packages
        ;;
    zypper)
        ZYPP_LOCK_TIMEOUT=600 zypper -nq refresh &&
            ZYPP_LOCK_TIMEOUT=600 zypper -nq install --no-recommends $packages
        ;;
    esac
}

bring_packages() {
    ! installed || return 0
    say "installing $packages"
    describe_repositories
    install_packages || fail 1 "the packages $packages cannot be had; this machine is in the VPN and no host of OpenNebula. $by_hand"
}

let_frontend_in() {
    id "$user" > /dev/null 2>&1 || fail 1 "no package made the account $user"
    for name in $groups; do
        ! getent group "$name" > /dev/null || usermod --append --groups "$name" "$user"
    done
    mkdir -p "$ssh"
    [ -s "$ssh/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C "$user@$(uname -n)" -f "$ssh/id_ed25519"
    line "$ssh/authorized_keys" "$authorized"
    chown -R "$user:$group" "$ssh"
    chmod 700 "$ssh"
    chmod 600 "$ssh/authorized_keys" "$ssh/id_ed25519"
    [ -z "$frontend_address" ] || grep -q "[[:space:]]$frontend\([[:space:]]\|\$\)" /etc/hosts ||
        line /etc/hosts "$frontend_address $frontend"
}

# The account runs machines, and images keep their owner.
set_qemu() {
    changed=
    for setting in "user = \"$user\"" "group = \"$group\"" 'dynamic_ownership = 0'; do
        ! grep -qsxF -e "$setting" "$qemu" || continue
        [ ! -e "$qemu" ] || sed -i "/^${setting%% *} *=/d" "$qemu"
        line "$qemu" "$setting"
        changed=yes
    done
}

confine() {
    [ -z "$apparmor_file" ] || line "$apparmor_file" "$apparmor_line"
    if [ -n "$selinux_file" ] && command -v restorecon > /dev/null; then
        line "$selinux_file" "$selinux_line"
        restorecon -RF "$datastores" || :
        [ "$share" != nfs ] || setsebool -P virt_use_nfs on || :
    fi
}

start_libvirt() {
    for unit in $units; do
        systemctl enable --now "$unit"
        case $unit in
        *.service) [ -z "$changed" ] || systemctl restart "$unit" ;;
        esac
    done
    # Its own network would give addresses that are not the site's.
    for task in net-destroy net-undefine; do
        virsh -c qemu:///system "$task" default > /dev/null 2>&1 || :
    done
}

mount_share() {
    [ "$share" = nfs ] || return 0
    mount_unit | put "/etc/systemd/system/$mount_name"
    automount_unit | put "/etc/systemd/system/$automount_name"
    systemctl daemon-reload
    systemctl enable --now "$automount_name"
}

find_system
bring_packages
let_frontend_in
set_qemu
confine
start_libvirt
mount_share
say "this machine is a node of OpenNebula for $site"
