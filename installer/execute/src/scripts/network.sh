# A new network is put in place by a program that lives on the host (`machine`, network_machine.sh)
# and outlives the connection that started it. A timer of systemd puts the old network back unless
# somebody confirms the new one over a new connection; if the power goes before, a unit of the next
# start does.
N="$S/network"
differs=
by_hand=

# network_begin LENGTH DIGEST: takes the program.
network_begin() {
    have systemd-run || die "there is no systemd-run on this host: the network is not changed where nothing could put it back"
    if [ -d "$N/pending" ]; then
        doing "putting the network back that nobody confirmed"
        # Left by a decision that a power cut stopped half-way.
        rmdir "$N/pending/decided" 2>/dev/null || :
        sh "$N/pending/machine" revert "$N/pending" "$R"
    fi
    rm -rf "$N/new"
    (umask 077 && mkdir -p "$N/new")
    receive "$1" "$2" "$N/new/machine"
}

# network_commands NAME LENGTH DIGEST: the commands that load the files (`apply`), and the ones that
# load what was before (`revert`).
network_commands() { receive "$2" "$3" "$N/new/$1"; }

# keep_old NUMBER PATH KEY
keep_old() {
    printf '%s' "$2" > "$N/new/$1.path"
    keep_path "$3" "$2"
    remember "$N/kept" "$3 $2"
    if [ -e "$2" ] || [ -L "$2" ]; then cp -pP -- "$2" "$N/new/$1.old"; fi
}

# keep_changed KEY PATH: what was changed by hand since the installer put it there, or came back after
# it was put aside, stays beside it. As a hidden file: some of these tools read every other one in a
# folder, whatever its name ends with.
keep_changed() {
    [ -f "$2" ] && [ ! -L "$2" ] && [ -e "$S/before/$1" ] || return 0
    if [ -f "$S/after/$1" ]; then
        [ "$(digest "$2")" != "$(cat "$S/after/$1")" ] || return 0
    elif [ -f "$S/before/$1/content" ]; then
        # As it was before us, which is kept already; or a run was cut off before its end.
        ! cmp -s -- "$2" "$S/before/$1/content" || return 0
    fi
    keep_beside "$2" "$(folder_of "$2")/.${2##*/}.stratus-orig"
    by_hand="$by_hand (as it was changed by hand: $original)"
}

# stage NUMBER PATH MODE OWNER GROUP KEY LENGTH DIGEST
stage() {
    receive "$7" "$8" "$N/new/$1.new"
    chown "$4:$5" "$N/new/$1.new"
    chmod "$3" "$N/new/$1.new"
    if ! cmp -s "$N/new/$1.new" "$2"; then
        differs=1
        keep_changed "$6" "$2"
    fi
    keep_old "$1" "$2" "$6"
}

# stage_before NUMBER PATH KEY: the file as it was before us.
stage_before() {
    record="$S/before/$3"
    [ -f "$record/kind" ] || return 0
    keep_changed "$3" "$2"
    printf '%s' "$2" > "$N/new/$1.path"
    if [ -e "$2" ] || [ -L "$2" ]; then cp -pP -- "$2" "$N/new/$1.old"; fi
    case $(cat "$record/kind") in
    file) cp -pP -- "$record/content" "$N/new/$1.new" ;;
    link) ln -s "$(cat "$record/target")" "$N/new/$1.new" ;;
    esac
    differs=1
}

# aside NUMBER PATH KEY
aside() {
    [ -e "$2" ] || [ -L "$2" ] || return 0
    keep_changed "$3" "$2"
    keep_old "$1" "$2" "$3"
    differs=1
}

# switch_network TOOL BRIDGE INTERFACE|- up|gone
switch_network() {
    printf '%s %s %s %s\n' "$1" "$2" "$3" "$4" > "$N/new/wanted"
    if [ -d "$R/sys/class/net/$2" ]; then : > "$N/new/bridge-was-there"; fi
    if [ -z "$differs" ] && sh "$N/new/machine" check "$N/new" "$R"; then
        rm -rf "$N/new" "$N/reverted"
        return 0
    fi
    # A link has nothing to sync, and may point nowhere.
    for file in "$N/new"/*; do [ -L "$file" ] || sync "$file"; done
    sync "$N/new"
    mv -T "$N/new" "$N/pending"
    systemctl stop stratus-network-revert.timer 2>/dev/null || :
    systemctl reset-failed stratus-network-revert.service stratus-network-load.service 2>/dev/null || :
    sh "$N/pending/machine" arm "$N/pending" "$R"
    doing "the timer that puts the old network back"
    systemd-run --quiet --collect --unit=stratus-network-revert --on-active=60s \
        --timer-property=AccuracySec=1s /bin/sh "$N/pending/machine" revert "$N/pending" "$R" || {
        sh "$N/pending/machine" disarm "$N/pending" "$R"
        rm -rf "$N/pending"
        die "the timer that would put the old network back did not start; nothing was changed"
    }
    doing "loading the new network"
    systemd-run --quiet --collect --wait --unit=stratus-network-load \
        /bin/sh "$N/pending/machine" load "$N/pending" "$R" || {
        cat "$N/reverted/log" "$N/pending/log" >&2 2>/dev/null || :
        die "the new network did not come up; the old one is back"
    }
    changed "network: $2$by_hand"
}

# confirm_network NAME DIGEST: over a new connection. The digest of the confirmed files is kept.
confirm_network() {
    if [ ! -d "$N/pending" ]; then
        [ ! -d "$N/reverted" ] || die "the new network was not confirmed in time; the old one is back"
        note "$S/seen/$1" "$2"
        return 0
    fi
    [ -e "$N/pending/loaded" ] || { echo "not loaded yet" >&2; exit 75; }
    sh "$N/pending/machine" confirm "$N/pending" "$R"
    while read -r key path; do
        if [ -f "$path" ]; then note "$S/after/$key" "$(digest "$path")"; fi
    done < "$N/kept"
    note "$S/seen/$1" "$2"
}

# undo_network LENGTH DIGEST: the old network is a new one; it is loaded the same way, with the same way
# back. Tool, bridge and commands are those that were confirmed last.
undo_network() {
    network_begin "$1" "$2"
    if [ ! -f "$N/kept" ] || [ ! -f "$N/confirmed/wanted" ]; then
        rm -rf "$N/new"
        return 0
    fi
    read -r tool bridge interface goal < "$N/confirmed/wanted"
    # Confirmed before, and cut off before it was forgotten.
    if [ "$goal" = gone ]; then forget_network; return 0; fi
    cp "$N/confirmed/revert" "$N/new/apply"
    cp "$N/confirmed/apply" "$N/new/revert"
    number=100
    while read -r key path; do
        number=$((number + 1))
        stage_before $number "$path" "$key"
    done < "$N/kept"
    switch_network "$tool" "$bridge" "$interface" gone
}

# confirm_gone: over a new connection.
confirm_gone() {
    if [ ! -d "$N/pending" ]; then
        [ ! -d "$N/reverted" ] || die "the old network was not confirmed in time; the one with the bridge is back"
        return 0
    fi
    [ -e "$N/pending/loaded" ] || { echo "not loaded yet" >&2; exit 75; }
    sh "$N/pending/machine" confirm "$N/pending" "$R"
    forget_network
}
forget_network() {
    while read -r key path; do rm -rf "$S/before/$key" "$S/after/$key"; done < "$N/kept"
    rm -rf "$N" "$S"/seen/network:*
}
