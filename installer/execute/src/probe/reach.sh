# What is around a host: package repositories that do not answer, and who answers for addresses.
set -u
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
have() { command -v "$1" > /dev/null 2>&1; }

# fetch URL: by the tool that will fetch packages, with its settings, where that is to be had.
fetch() {
    if [ -x /usr/lib/apt/apt-helper ]; then
        timeout 20 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=10 \
            -o Acquire::https::Timeout=10 download-file "$1" "$scratch/index" < /dev/null
    elif have curl; then
        curl --silent --show-error --fail --location --max-time 20 --output /dev/null "$1" < /dev/null
    fi
}
printf '\001unreached\n'
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && chmod 755 "$scratch" && for url in #REPOSITORIES#; do
    said=$(fetch "$url" 2>&1) ||
        printf '%s\t%s\n' "$url" "$(printf '%s\n' "$said" | grep -v '^W:' | tail -n 1)"
done

printf '\001neighbours\n'
set -- #ADDRESSES#
if [ $# -gt 0 ] && have bash && have ip; then
    # What is known from before says nothing of now.
    for address in "$@"; do echo "neigh show to $address"; done | ip -4 -force -batch - 2> /dev/null |
        while read -r address word device rest; do
            [ "$word" != dev ] || echo "neigh del $address dev $device"
        done > "$scratch/known"
    ip -force -batch "$scratch/known" 2> /dev/null
    # A datagram to nobody's port has the kernel ask who has the address. There is no tool for it
    # that every host has, and a process for each address would take long.
    bash -c 'for address; do echo > "/dev/udp/$address/9"; done' bash "$@" 2> /dev/null
    sleep 1
    for address in "$@"; do echo "neigh show to $address"; done | ip -4 -force -batch - 2> /dev/null
fi
printf '\001end\n'
