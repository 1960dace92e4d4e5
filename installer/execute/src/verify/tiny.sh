# Makes a machine that does nothing but take its address: the kernel of this host, and a file system
# in memory with the few drivers and programs that it needs, as files for OpenNebula. Its first
# program is on the standard input. Everything comes from this host: no download, no boot loader.
# Status 3: this host has not what is needed.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
cannot() { printf '%s\n' "$*" >&2; exit 3; }

# Needed ones first. Drivers may be part of the kernel; those after the bar may be missing.
DRIVERS='virtio_pci virtio_net virtio_scsi sr_mod | af_packet ahci ata_piix'
# What `init` calls, where there is no busybox.
PROGRAMS='sh mount insmod ip grep sleep'

kernel_of() {
    for file in "/boot/vmlinuz-$1" "/usr/lib/modules/$1/vmlinuz" "/lib/modules/$1/vmlinuz" "/boot/Image-$1"; do
        [ ! -r "$file" ] || { printf '%s\n' "$file"; return 0; }
    done
    return 1
}
# The kernel that runs, or the newest that has its drivers.
find_kernel() {
    for version in "$(uname -r)" $(ls /lib/modules 2> /dev/null | sort -rV); do
        [ -d "/lib/modules/$version" ] || continue
        kernel=$(kernel_of "$version") && return 0
    done
    cannot "there is no kernel in /boot with drivers in /lib/modules to make a tiny machine of"
}
unpack() {
    case $1 in
        *.xz) xz -dc "$1" ;;
        *.zst) zstd -qdc "$1" ;;
        *.gz) gzip -dc "$1" ;;
        *) cat "$1" ;;
    esac
}
drivers() {
    command -v modprobe > /dev/null || cannot "modprobe is not installed"
    needed=yes
    : > "$root/drivers/order"
    for driver in $DRIVERS; do
        [ "$driver" != '|' ] || { needed=no; continue; }
        if ! files=$(modprobe --set-version "$version" --show-depends "$driver" 2> /dev/null); then
            [ $needed = no ] || cannot "the kernel $version has no driver $driver"
            continue
        fi
        for file in $(printf '%s\n' "$files" | sed -n 's/^insmod \([^ ]*\).*/\1/p'); do
            name=${file##*/}
            name=${name%%.ko*}.ko
            [ ! -e "$root/drivers/$name" ] || continue
            unpack "$file" > "$root/drivers/$name" || cannot "$file cannot be unpacked"
            printf '%s\n' "$name" >> "$root/drivers/order"
        done
    done
}
# A program with the libraries that it is linked to, each where it is here.
program() {
    from=$(command -v "$1") || cannot "$1 is not installed"
    cp -L "$from" "$root/bin/${2:-$1}"
    for library in $(ldd "$from" 2> /dev/null | sed -n 's/.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p'); do
        mkdir -p "$root${library%/*}"
        [ -e "$root$library" ] || cp -L "$library" "$root$library"
    done
}
programs() {
    if command -v busybox > /dev/null; then
        program busybox
        ln "$root/bin/busybox" "$root/bin/sh"
        return
    fi
    for name in $PROGRAMS; do program "$name"; done
    ! command -v ping > /dev/null || program ping
}
zeros() { [ "$1" = 0 ] || head -c "$1" /dev/zero; }
# One entry of a cpio archive in the form that the kernel unpacks. 1: mode, 2: name, 3: its file,
# 4 and 5: numbers of a device.
entry() {
    size=0 name=$(($(printf %s "$2" | wc -c) + 1)) inode=$((inode + 1))
    [ -z "$3" ] || size=$(($(wc -c < "$3")))
    printf '070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\000' \
        "$inode" "$1" 0 0 1 0 "$size" 0 0 "${4:-0}" "${5:-0}" "$name" 0 "$2"
    zeros $(((4 - (110 + name) % 4) % 4))
    [ -z "$3" ] || cat "$3"
    zeros $(((4 - size % 4) % 4))
}
archive() (
    cd "$root" || exit
    inode=0
    find . -mindepth 1 -type d | sort | while read -r path; do
        inode=$((inode + 100000)) entry 16877 "${path#./}" ''
    done
    entry 8576 dev/console '' 5 1
    find . -type f | sort | {
        while read -r path; do entry 33261 "${path#./}" "$path"; done
        entry 0 'TRAILER!!!' ''
    }
)
# 1: a new folder that oneadmin reads; `kernel` and `initrd` are put there. Says how the machine can
# get its address.
tiny_build() {
    umask 022
    # What runs that were killed left behind.
    find /var/tmp -maxdepth 1 -name 'stratus-test-[0-9]*' -user root -mmin +30 -exec rm -rf {} + || :
    mkdir -m 755 "$1" || cannot "$1 cannot be made"
    root=$1/root
    mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/drivers"
    cat > "$root/init"
    find_kernel
    drivers
    programs
    archive > "$1/initrd" || cannot "$1/initrd cannot be written"
    cp -L "$kernel" "$1/kernel" || cannot "$kernel cannot be copied"
    rm -r "$root"
    chmod 644 "$1/kernel" "$1/initrd"
    # Not every busybox has all programs.
    if busybox --list 2> /dev/null | grep -q -x udhcpc; then echo dhcp; else echo context; fi
}
