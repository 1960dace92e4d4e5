#!/bin/sh
# The only program of a machine that `stratus-install verify` starts: it takes its address, from DHCP
# where the kernel's command line says `stratus.dhcp` and from OpenNebula's context otherwise, and
# stays. What it says on the console is read when something is wrong.
export PATH=/bin
say() { echo "stratus: $*"; }
if [ -x /bin/busybox ]; then /bin/busybox --install -s /bin; fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
read -r line < /proc/cmdline
say "the machine starts"
while read -r driver; do
    insmod "/drivers/$driver" || say "the driver $driver was not taken"
done < /drivers/order

# The context is a file on a CD; its lines are found without a file system's driver.
context() {
    for disk in /dev/sr0 /dev/sr1; do
        [ ! -b $disk ] || ! grep -a -q '^ETH0_MAC=' $disk 2> /dev/null || { echo $disk; return 0; }
    done
    return 1
}
value() {
    value=$(grep -a -m 1 "^$1=" "$disk" 2> /dev/null)
    value=${value#*\'}
    echo "${value%\'}"
}
stay() { while :; do sleep 3600; done; }
# Things appear a moment after their driver was taken.
patiently() {
    for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        "$@" && return 0
        sleep 1
    done
    return 1
}
is_there() { [ -e /sys/class/net/eth0 ]; }
patiently is_there || { say "there is no network interface"; stay; }
ip link set lo up
ip link set eth0 up

# Frames go out and come back, seen from in here: for a network that no host has an address of.
reach() {
    [ -n "$1" ] && command -v ping > /dev/null || return 0
    if patiently ping -c 1 -W 1 "$1" > /dev/null 2>&1; then
        say "the gateway $1 answers"
    else
        say "the gateway $1 does not answer"
    fi
}

case " $line " in
    *' stratus.dhcp '*)
        # The address, then the router.
        echo '#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev eth0
echo "$ip" "$router" > /lease' > /bin/bound
        chmod 755 /bin/bound
        say "asking for an address by DHCP"
        udhcpc -i eth0 -s /bin/bound -q -n -t 8 -T 2 > /dev/null 2>&1
        [ -e /lease ] || { say "no server gave an address by DHCP"; stay; }
        read -r address gateway others < /lease
        say "eth0 has $address from DHCP"
        ;;
    *)
        disk=$(patiently context) || { say "there is no context of OpenNebula"; stay; }
        address=$(value ETH0_IP) mask=$(value ETH0_MASK) gateway=$(value ETH0_GATEWAY)
        [ -n "$address" ] || { say "the context names no address"; stay; }
        ip addr add "$address/${mask:-255.255.255.0}" dev eth0 || { say "the address $address was not taken"; stay; }
        say "eth0 has $address from the context"
        ;;
esac
[ -z "$gateway" ] || ip route add default via "$gateway"
reach "$gateway"
stay
