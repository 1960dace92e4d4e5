# Loads a new network and puts the old one back.
# usage: sh machine check|arm|disarm|load|revert|boot|confirm FOLDER ROOT
# In FOLDER: NUMBER.path names a file, NUMBER.new is it as wanted (absent: to be away), NUMBER.old as
# it was; `decided` is made by whoever comes first, the confirmation or the timer.
set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
P=$2 R=$3
read -r tool bridge interface goal < "$P/wanted"

# A timer does not outlive the power. This unit of the next start puts the old files back before any
# tool has read the new ones, unless the change was decided before.
unit=stratus-network-revert-boot.service
arm() {
    mkdir -p "$R/etc/systemd/system/sysinit.target.wants"
    file="$R/etc/systemd/system/$unit"
    cat > "$file.new~" << END
# Written by stratus-install; gone as soon as the new network is confirmed or the old one is back.
[Unit]
Description=The network as it was before a change that nobody confirmed
DefaultDependencies=no
RequiresMountsFor=${P%/*}
After=local-fs.target systemd-remount-fs.service
Wants=network-pre.target
Before=network-pre.target networking.service systemd-networkd.service NetworkManager.service wickedd.service
Conflicts=shutdown.target
Before=shutdown.target
ConditionPathExists=$P
[Service]
Type=oneshot
ExecStart=/bin/sh $P/machine boot $P "$R"
END
    sync "$file.new~"
    mv -f "$file.new~" "$file"
    ln -sfn "../$unit" "$R/etc/systemd/system/sysinit.target.wants/$unit"
    sync "$R/etc/systemd/system" "$R/etc/systemd/system/sysinit.target.wants"
    if command -v restorecon > /dev/null; then restorecon "$file" 2> /dev/null || :; fi
}
disarm() {
    rm -f "$R/etc/systemd/system/sysinit.target.wants/$unit" "$R/etc/systemd/system/$unit"
}

good() {
    if [ "$goal" = gone ]; then return 0; fi
    read -r flags < "$R/sys/class/net/$bridge/flags" 2>/dev/null || return 1
    [ $((flags & 1)) = 1 ] || return 1
    [ "$interface" = - ] ||
        [ "$(basename "$(readlink "$R/sys/class/net/$interface/master")")" = "$bridge" ]
}

# place old|new
place() {
    for file in "$P"/*.path; do
        [ -e "$file" ] || continue
        path=$(cat "$file") from="${file%.path}.$1"
        if [ -e "$from" ] || [ -L "$from" ]; then
            mkdir -p "${path%/*}"
            beside="${path%/*}/.${path##*/}.stratus-new"
            rm -f "$beside"
            cp -pP "$from" "$beside"
            sync "$beside" 2>/dev/null || :
            mv -fT "$beside" "$path"
        else
            rm -f "$path"
        fi
        sync "${path%/*}" 2>/dev/null || :
    done
}

# ifupdown takes down what the present files say, so it comes before they go.
down() {
    if [ "$tool" = ifupdown ] && [ ! -s "$P/apply" ]; then
        for name in $interface $bridge; do
            [ "$name" = - ] || ifdown --force "$name" || :
        done
    fi
}

# up apply|revert: by the commands that came with the files, or as the tool is used to.
up() {
    if [ -s "$P/$1" ]; then
        sh "$P/$1"
        return
    fi
    case $tool in
    ifupdown)
        for name in $bridge $interface; do
            if [ "$name" != - ] && ifquery "$name" > /dev/null 2>&1; then ifup --force "$name" || return 1; fi
        done
        ;;
    netplan) netplan apply ;;
    network-manager)
        nmcli connection reload || return 1
        for file in "$P"/*.path; do
            path=$(cat "$file")
            [ -f "$path" ] || continue
            id=$(sed -n 's/^id=//p' "$path" | head -n 1)
            [ -z "$id" ] || nmcli connection up id "$id" || return 1
        done
        ;;
    networkd)
        networkctl reload || return 1
        for name in $bridge $interface; do
            [ "$name" = - ] || [ ! -d "$R/sys/class/net/$name" ] || networkctl reconfigure "$name" || return 1
        done
        ;;
    wicked) wicked ifreload all ;;
    *) echo "nobody knows how to load a network of $tool"; return 1 ;;
    esac
}

# What the interfaces have now, as commands of ip(8).
remember() {
    for name in $interface $bridge; do
        [ "$name" != - ] && [ -d "$R/sys/class/net/$name" ] || continue
        ip -o address show dev "$name" scope global 2>/dev/null | while read -r n device kind address rest; do
            echo "address replace $address dev $name"
        done
        ip route show dev "$name" 2>/dev/null | while read -r to rest; do
            case "$rest" in
            *"proto kernel"*) ;;
            "via "*) rest=${rest#via } && echo "route replace $to via ${rest%% *} dev $name" ;;
            esac
        done
    done > "$P/was"
}

# The last resort where the tool fails: addresses and routes by hand, until the host starts anew.
by_hand() {
    echo "loading the old network failed too; its addresses are set by hand"
    if [ "$interface" != - ] && [ ! -e "$P/bridge-was-there" ]; then
        ip link set dev "$interface" nomaster up || :
    fi
    ip -force -batch "$P/was" || :
}

# The power went before anybody confirmed, and the host starts again: no tool has loaded anything yet.
boot() {
    # Left by a decision that the power cut stopped half-way.
    rmdir "$P/decided" 2>/dev/null || :
    mkdir "$P/decided"
    place old
    # What netplan made of the new files at the very start it makes anew.
    if [ "$tool" = netplan ]; then netplan generate || :; fi
    rm -rf "${P%/*}/reverted"
    mv -T "$P" "${P%/*}/reverted"
    disarm
}

revert() {
    mkdir "$P/decided" 2>/dev/null || return 0
    down
    place old
    # A bridge that was not there before us keeps nothing of the old network's.
    if [ "$goal" = up ] && [ ! -e "$P/bridge-was-there" ]; then ip link delete "$bridge" 2>/dev/null || :; fi
    up revert || by_hand
    rm -rf "${P%/*}/reverted"
    mv -T "$P" "${P%/*}/reverted"
    disarm
    systemctl stop stratus-network-revert.timer 2>/dev/null || :
}

load() {
    remember
    down
    place new
    if up apply; then
        for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            if good; then
                : > "$P/loaded"
                return 0
            fi
            sleep 1
        done
        echo "after 20 s the bridge $bridge is not up, or $interface is not part of it"
    fi
    revert
    return 1
}

confirm() {
    good || { echo "the bridge $bridge is not as it should be; the old network comes back" >&2; exit 1; }
    mkdir "$P/decided" 2>/dev/null || { echo "the old network is back already" >&2; exit 1; }
    systemctl stop stratus-network-revert.timer 2>/dev/null || :
    rm -rf "${P%/*}/confirmed" "${P%/*}/reverted"
    mv -T "$P" "${P%/*}/confirmed"
    disarm
}

case $1 in
check) good ;;
arm) arm ;;
disarm) disarm ;;
boot) boot > "$P/log" 2>&1 ;;
load) load > "$P/log" 2>&1 ;;
revert) revert > "$P/log" 2>&1 ;;
confirm) confirm ;;
esac
