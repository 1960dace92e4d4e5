# Looks at a tiny machine from outside.

# 1: its address, 2: its MAC address. Where the two are on one network, the answer must be its own.
machine_answers() {
    need ping
    for try in 1 2 3 4; do
        if ping -n -q -c 1 -W 1 "$1" > /dev/null 2>&1; then
            seen=$(ip neigh show to "$1" 2> /dev/null | sed -n 's/.* lladdr \([^ ]*\).*/\1/p' | head -n 1)
            [ -z "$seen" ] || [ "$seen" = "$2" ] || no "$1 is answered by $seen: another machine has the address"
            return 0
        fi
    done
    no "$1 does not answer a ping"
}
# 1: the address, 2: the MAC address that DHCP was to give it to.
lease_given() {
    for file in /var/lib/misc/dnsmasq.leases /var/lib/dnsmasq/dnsmasq.leases; do
        ! grep -q -i -F " $2 $1 " "$file" 2> /dev/null || return 0
    done
    no "dnsmasq gave no lease of $1 to $2"
}
# 1: the file of its console. The end of it as plain text.
console_said() { [ ! -e "$1" ] || tail -c 4096 "$1" | tr -cd '\n -~' | tail -n 25; }
# 1: a folder or file of this run or, by its age, of one that was killed.
tiny_clear() {
    rm -rf "$1"
    for folder in /var/tmp /var/log/libvirt/qemu; do
        [ ! -d $folder ] || find $folder -maxdepth 1 -name 'stratus-test-[0-9]*' -mmin +30 -user root -exec rm -rf {} + || :
    done
}
