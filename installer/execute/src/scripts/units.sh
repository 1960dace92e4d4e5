# inputs_digest PATH...: one digest of all files, told by path.
inputs_digest() {
    for input in "$@"; do
        if [ -f "$R$input" ]; then d=$(digest "$R$input"); else d=absent; fi
        printf '%s  %s\n' "$d" "$input"
    done | sha256sum | cut -d' ' -f1
}

# listens UNIT: whether a socket starts it when it is asked. A daemon may leave when it has been idle
# for a while, as libvirtd does: it is there as long as its socket is.
listens() {
    for socket in $(systemctl show -p TriggeredBy --value "$1" 2>/dev/null); do
        case $socket in *.socket) ! systemctl is-active --quiet "$socket" || return 0 ;; esac
    done
    return 1
}

unit_does() {
    doing "systemctl $*"
    systemctl "$@" < /dev/null || {
        systemctl status --no-pager -l -n 15 "$unit" >&2 || :
        die "systemctl $* failed; look at it with: journalctl -u $unit"
    }
}

# unit NAME enabled|disabled running|stopped restart|reload INPUT...
unit() {
    unit=$1 boot=$2 run=$3 how=$4
    shift 4
    enabled=$(systemctl is-enabled "$unit" 2>/dev/null) || :
    active=$(systemctl is-active "$unit" 2>/dev/null) || :
    if keep "unit:$unit"; then
        printf '%s\n' "$enabled" > "$B/enabled"
        printf '%s\n' "$active" > "$B/active"
        kept "unit:$unit"
    fi
    if [ "$active" = inactive ] && listens "$unit"; then active=listening; fi
    now=$(inputs_digest "$@")
    seen=$(cat "$S/seen/$unit" 2>/dev/null) || :
    if [ "$now" != "$seen" ] || [ "$(systemctl show -p NeedDaemonReload --value "$unit" 2>/dev/null)" = yes ]; then
        unit_does daemon-reload
    fi
    case $boot:$enabled in
    enabled:masked*) unit_does unmask "$unit"; unit_does enable "$unit"; changed "$unit enabled" ;;
    enabled:enabled | enabled:static | enabled:alias | enabled:generated | enabled:indirect) ;;
    enabled:*) unit_does enable "$unit"; changed "$unit enabled" ;;
    disabled:enabled*) unit_does disable "$unit"; changed "$unit disabled" ;;
    esac
    case $run:$active in
    running:active | running:reloading)
        if [ "$now" != "$seen" ]; then
            if [ "$how" = reload ]; then unit_does reload-or-restart "$unit"; else unit_does restart "$unit"; fi
            changed "$unit has read its files again"
        fi
        ;;
    running:listening) ;;
    running:*)
        case $enabled in masked*) [ "$boot" = enabled ] || unit_does unmask "$unit" ;; esac
        unit_does start "$unit"
        changed "$unit started"
        ;;
    stopped:active | stopped:activating | stopped:reloading) unit_does stop "$unit"; changed "$unit stopped" ;;
    esac
    # Only now: whoever is cut off before this line has it done again.
    note "$S/seen/$unit" "$now"
    note "$S/after/unit:$unit" "$boot,$run"
}

# undo_units NAME...: these in this order, then those that an earlier plan had.
undo_units() {
    for name in "$@"; do undo_unit "$name"; done
    for record in "$S"/before/unit:*; do
        if [ -d "$record" ]; then undo_unit "${record#"$S/before/unit:"}"; fi
    done
}

# undo_unit NAME
undo_unit() {
    unit=$1
    [ -d "$S/before/unit:$unit" ] || return 0
    was_enabled=$(cat "$S/before/unit:$unit/enabled") was_active=$(cat "$S/before/unit:$unit/active")
    # A unit whose file went before it is no longer known; there is nothing left to stop.
    if systemctl cat "$unit" > /dev/null 2>&1; then
        case $was_active in
        active)
            unit_does start "$unit"
            # It reads its files as they were once they are back.
            remember "$S/again" "$unit"
            ;;
        *) unit_does stop "$unit" ;;
        esac
        case $was_enabled in
        enabled) unit_does enable "$unit" ;;
        masked) unit_does disable "$unit"; unit_does mask "$unit" ;;
        static | alias | generated | indirect) ;;
        *) unit_does disable "$unit" ;;
        esac
        changed "$unit as before"
    fi
    rm -rf "$S/seen/$unit" "$S/after/unit:$unit" "$S/before/unit:$unit"
}

# holds ACTION: whether what it did is still so, where that is no file.
holds() {
    case $1 in
    allow-nfs-machines) [ "$(getsebool virt_use_nfs 2>/dev/null)" = 'virt_use_nfs --> on' ] ;;
    esac
}

# action NAME MAKES|- INPUT...: carries out do_NAME when its inputs are not those that it saw, or what
# it makes is not there.
action() {
    name=$1 makes=$2
    shift 2
    now=$(inputs_digest "$@")
    seen=$(cat "$S/seen/$name" 2>/dev/null) || :
    if [ "$now" = "$seen" ] && holds "$name"; then
        if [ "$makes" = - ] || [ -e "$R$makes" ]; then return 0; fi
    fi
    "do_$(printf '%s' "$name" | tr - _)" "$@"
    changed "$name"
    note "$S/seen/$name" "$now"
}

# What reads files of ours reads them again as they were.
read_again() {
    have systemctl || return 0
    doing "systemctl daemon-reload"
    systemctl daemon-reload < /dev/null || :
    if have exportfs; then exportfs -ra || :; fi
    [ -f "$S/again" ] || return 0
    while IFS= read -r unit; do
        systemctl cat "$unit" > /dev/null 2>&1 || continue
        systemctl try-restart "$unit" < /dev/null || left "$unit: it did not start again; journalctl -u $unit"
    done < "$S/again"
    rm -f "$S/again"
}

# libvirt's own network, where libvirt was there before us.
undo_libvirt_network() {
    record="$S/before/action:remove-libvirt-network"
    [ -d "$record" ] || return 0
    if have virsh && virsh net-info default > /dev/null 2>&1; then
        if grep -q '^Autostart: *yes' "$record/info"; then virsh net-autostart default; fi
        if grep -q '^Active: *yes' "$record/info"; then virsh net-start default 2>/dev/null || :; fi
    fi
    rm -rf "$record"
}

# A boolean of SELinux as it was.
undo_nfs_machines() {
    record="$S/before/action:allow-nfs-machines"
    [ -d "$record" ] || return 0
    if have setsebool && grep -q -- '--> off$' "$record/info"; then
        doing "setsebool -P virt_use_nfs off"
        setsebool -P virt_use_nfs off
        changed "virt_use_nfs is off, as before"
    fi
    rm -rf "$record" "$S/seen/allow-nfs-machines"
}

do_refresh_packages() { refresh; }
do_reload_units() { doing "systemctl daemon-reload"; systemctl daemon-reload; }
do_export_shares() { doing "exportfs -ra"; exportfs -ra; }
# Not --system: a setting of somebody else's that the kernel refuses is none of ours.
do_load_sysctl() { doing "sysctl -p $1"; sysctl -p "$R$1" > /dev/null; }
do_remove_libvirt_network() {
    doing "virsh net-destroy default"
    if virsh net-info default > /dev/null 2>&1; then
        if keep action:remove-libvirt-network; then
            virsh net-info default > "$B/info"
            kept action:remove-libvirt-network
        fi
        if [ "$(virsh net-info default | sed -n 's/^Active: *//p')" = yes ]; then virsh net-destroy default; fi
        virsh net-autostart default --disable
    fi
}
do_load_firewall() {
    # All are read before one is loaded: a mistake in a file changes nothing.
    for input in "$@"; do doing "nft -c -f $input"; nft -c -f "$R$input"; done
    for input in "$@"; do doing "nft -f $input"; nft -f "$R$input"; done
}
do_sync_remotes() { doing "onehost sync"; runuser -u oneadmin -- onehost sync --force; }
# The overlay has one mode at a time, and what each of the two saw is forgotten by the other: a site
# that changes back has everything made again.
do_make_overlay() { make_overlay "$@"; rm -f "$S/seen/make-wireguard"; }
do_make_wireguard() { make_overlay "$@"; rm -f "$S/seen/make-overlay"; }
make_overlay() {
    # Both do nothing where nothing is to be done; names and addresses of nodes are no secrets.
    for verb in init add; do
        doing "stratus-vpn $verb"
        stratus-vpn $verb --config "$R$1" --directory "$R/var/lib/stratus/vpn" < /dev/null >&2
    done
}
do_allow_nfs_machines() {
    have getsebool && have setsebool ||
        die "there is no getsebool or setsebool on this host; install libselinux-utils and policycoreutils and run it again"
    if keep action:allow-nfs-machines; then
        getsebool virt_use_nfs > "$B/info"
        kept action:allow-nfs-machines
    fi
    doing "setsebool -P virt_use_nfs on"
    setsebool -P virt_use_nfs on
}
do_restore_labels() {
    have restorecon || return 0
    doing "restorecon -R /var/lib/one/datastores"
    restorecon -R "$R/var/lib/one/datastores"
}
