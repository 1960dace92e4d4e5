# Looks at one promise. Status 0: it is so; 1: it is not, and why on the standard error; other: it
# could not be looked at.
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
no() { printf '%s\n' "$*" >&2; exit 1; }
cannot() { printf '%s\n' "$*" >&2; exit 3; }
need() { command -v "$1" > /dev/null 2>&1 || cannot "$1 is not installed"; }

unit_active() {
    need systemctl
    state=$(systemctl is-active "$1") && return 0
    # A daemon may leave when it has been idle for a while: its socket starts it when it is asked.
    for socket in $(systemctl show -p TriggeredBy --value "$1"); do
        case $state:$socket in inactive:*.socket) ! systemctl is-active --quiet "$socket" || return 0 ;; esac
    done
    no "$1 is $state; see journalctl -u $1"
}
port_answers() {
    need timeout
    need bash
    timeout 10 bash -c ': < "/dev/tcp/$0/$1"' "$1" "$2" 2> /dev/null || no "nothing answers at $1 port $2"
}
# A server of datagrams says nothing to a stranger: that it listens is asked of the kernel.
listens() {
    need ss
    case $1 in udp) which=-u ;; *) which=-t ;; esac
    found=$(ss -H -l -n $which "sport = :$2") || cannot "ss cannot tell what listens"
    [ -n "$found" ] || no "nothing listens on $1 port $2"
}
# Of what `stratus-vpn status` warns of, the end of something; who comes and goes does not matter.
overlay_counts() {
    need stratus-vpn
    status=0
    said=$(stratus-vpn status 2>&1 > /dev/null) || status=$?
    # 5: the server does not answer, which is another promise.
    case $status in 0 | 5) ;; *) no "$(printf '%s' "$said" | head -n 1)" ;; esac
    ended=$(printf '%s\n' "$said" | grep -e '^warning: .*expired' -e '^warning: .*not renewed' | head -n 1) || :
    [ -z "$ended" ] || no "${ended#warning: }"
}
http_answers() {
    need curl
    if [ -n "$2" ]; then set -- "$1" --cacert "$2"; else set -- "$1" --location; fi
    url=$1
    shift
    said=$(curl --silent --show-error --fail --max-time 20 --output /dev/null "$@" -- "$url" 2>&1) || no "$url: $said"
}
interface_up() {
    read -r flags 2> /dev/null < "/sys/class/net/$1/flags" || no "there is no $1"
    [ $((flags & 1)) = 1 ] || no "$1 is down"
}
bridge_up() {
    interface_up "$1"
    [ -d "/sys/class/net/$1/bridge" ] || no "$1 is no bridge"
    [ -z "$2" ] || [ -e "/sys/class/net/$1/brif/$2" ] || no "$2 is not part of $1"
}
frames_cross() {
    need ping
    said=$(ping -n -q -c 3 -i 0.3 -W 2 -I "$1" "$2" 2>&1) || no "$2 does not answer through $1: $(printf '%s' "$said" | tail -n 1)"
}
ssh_trust() {
    need runuser
    said=$(runuser -u "$1" -- ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10 "$2" true 2>&1 < /dev/null) ||
        no "$1 cannot log in on $2: $(printf '%s' "$said" | tail -n 1)"
}
# 1: the user that OpenNebula's drivers are. libvirt asks polkit about everybody but root.
libvirt_answers() {
    need virsh
    need runuser
    said=$(runuser -u "$1" -- virsh --connect qemu:///system version 2>&1 < /dev/null) && return 0
    why=$(printf '%s' "$said" | tail -n 1)
    case $why in *PolicyKit1*)
        # dbus knows the accounts that were there when it read its files.
        case $(journalctl -q -b -u polkit -n 20 -o cat 2> /dev/null) in
        *'Lost the name'*) why="dbus gives polkit no name, run systemctl reload dbus ($why)" ;;
        *) why="polkit does not answer, see journalctl -u polkit ($why)" ;;
        esac ;;
    esac
    no "libvirt does not serve $1: $why"
}
share_write() {
    [ -d "$1" ] || no "$1 is no directory"
    text=$(head -c 16 /dev/urandom | base64)
    (umask 077 && printf '%s\n' "$text" > "$1/.stratus-verify-$2") || no "nothing can be written below $1"
    sync "$1/.stratus-verify-$2"
    printf '%s\n' "$text"
}
share_read() {
    # The other's file may come a moment later: NFS keeps what it knows of a directory.
    for second in 1 2 3 4 5 6 7 8 9 10; do
        found=$(cat "$1/.stratus-verify-$2" 2> /dev/null) || :
        [ "$found" != "$3" ] || return 0
        ls -a "$1" > /dev/null
        sleep 1
    done
    no "what $2 wrote below $1 is not there"
}
share_clean() { rm -f "$1/.stratus-verify-$2"; }
