# Asks a host what it is. Everything goes to the standard output in sections: a line that begins with
# the byte 1 names the next one. What could hold any byte is in base64; paths are told by number.
# Reads only; what a kernel can do is tried in a network namespace that ends with the attempt.
set -u
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
section() { printf '\001%s\n' "$1"; }
have() { command -v "$1" > /dev/null 2>&1; }
# The family is told by the system's name: a host may have the tools of another one too.
rpms=
case " $(. /etc/os-release 2> /dev/null && echo "${ID:-} ${ID_LIKE:-}") " in
*" rhel "* | *" fedora "* | *" suse "*) rpms=yes ;;
esac

section os
base64 -w0 < /etc/os-release
section basic
uname -m
hostname -f 2> /dev/null || uname -n
if [ -r /etc/machine-id ]; then read -r id < /etc/machine-id || :; fi
printf '%s\n' "${id:-}"
read -r init < /proc/1/comm
printf '%s\n' "$init"
id -u
nproc
while read -r key value rest; do
    [ "$key" != MemTotal: ] || printf '%s\n' "$value"
done < /proc/meminfo

section free
set --
for place in / /var /var/lib/one; do
    [ ! -d $place ] || set -- "$@" $place
done
printf '%s\n' "$*"
df -B1 --output=avail -- "$@" 2> /dev/null

section kernel
if (: <> /dev/kvm) 2> /dev/null; then echo kvm; fi
for kind in nfs nfsd; do
    while read -r a b; do
        if [ "$a" = $kind ] || [ "${b:-}" = $kind ]; then echo $kind; continue 2; fi
    done < /proc/filesystems
    # Would it load? Nothing is loaded by asking.
    ! modprobe -n -q $kind 2> /dev/null || echo $kind
done
if have wireguard-go; then echo wireguard-go; fi
if have unshare && have ip; then
    unshare -n sh -c '
        echo tried
        ip -force -batch - > /dev/null 2>&1 << END
link add sbridge type bridge
tuntap add dev stap mode tap
link add link sbridge name svlan type vlan id 5
link add svxlan type vxlan id 5 dstport 4789
link add swireguard type wireguard
END
        ip -o link show
        if command -v nft > /dev/null && nft add table inet stratus 2> /dev/null; then echo snft; fi
    ' 2> /dev/null
    if have nft; then echo nft-there; fi
fi

section selinux
if [ "$(cat /sys/fs/selinux/enforce 2> /dev/null)" = 1 ]; then
    echo enforcing
    cat /sys/fs/selinux/booleans/virt_use_nfs 2> /dev/null
fi

section links
ip -j -d address show 2> /dev/null
section hardware
for link in /sys/class/net/*/device; do
    link=${link%/device}
    [ ! -e "$link/device" ] || printf '%s\n' "${link##*/}"
done
section routes
ip -j -4 route show 2> /dev/null
section tools
if [ "$init" = systemd ]; then
    systemctl is-active NetworkManager.service systemd-networkd.service wickedd.service 2> /dev/null
fi
if have netplan; then
    for file in /etc/netplan/*.yaml; do [ ! -e "$file" ] || echo netplan; done
fi
if have ifup && [ -f /etc/network/interfaces ]; then echo ifupdown; fi
if have wicked; then echo wicked; fi

section packages
if [ -z "$rpms" ] && have dpkg-query; then
    dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Version}\n' 2> /dev/null
elif have rpm; then
    rpm -qa --qf 'ii \t%{NAME}\t%{EVR}\n' 2> /dev/null
fi

section lock
# By what the holder has open: on an overlay the kernel's list names another file system and number.
set --
while read -r n kind advisory mode process rest; do
    case "$mode:$process" in WRITE:[1-9]*) set -- "$@" "/proc/$process/fd" ;; esac
done < /proc/locks
if [ $# -gt 0 ]; then
    find "$@" -maxdepth 1 \( -lname /var/lib/dpkg/lock-frontend -o -lname /var/lib/dpkg/lock \
        -o -lname /var/lib/apt/lists/lock -o -lname '*/rpm/.rpm.lock' \) 2> /dev/null | sort -u |
        while IFS= read -r open; do
            process=${open#/proc/} process=${process%%/*} name=
            # It may have the file open and not locked.
            grep -q '^lock:.*WRITE' "/proc/$process/fdinfo/${open##*/}" 2> /dev/null || continue
            read -r name < "/proc/$process/comm"
            printf '%s (process %s)\n' "$name" "$process"
        done
fi
# zypper writes its number down instead.
process=
[ ! -r /run/zypp.pid ] || read -r process < /run/zypp.pid || :
if [ -n "$process" ] && [ -r "/proc/$process/comm" ]; then
    read -r name < "/proc/$process/comm"
    printf '%s (process %s)\n' "$name" "$process"
fi

section seen
for file in /var/lib/stratus/installer/seen/*; do
    [ -f "$file" ] || continue
    read -r digest < "$file" && printf '%s %s\n' "$digest" "${file##*/}"
done
section after
for file in /var/lib/stratus/installer/after/*; do
    [ -f "$file" ] || continue
    read -r digest < "$file" && printf '%s %s\n' "$digest" "${file##*/}"
done
section network
# Some of their names nobody could ask for before the interfaces were known.
if [ -r /var/lib/stratus/installer/network/kept ]; then
    while read -r key path; do
        { read -r noted < "/var/lib/stratus/installer/after/$key"; } 2> /dev/null || continue
        if [ ! -f "$path" ]; then
            printf 'gone %s\n' "$path"
        elif [ "$(sha256sum < "$path" | cut -c1-64)" != "$noted" ]; then
            printf 'there %s\n' "$path"
        fi
    done < /var/lib/stratus/installer/network/kept
fi
section listening
ss -Hltnp 2> /dev/null
