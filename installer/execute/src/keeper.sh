# Holds the lock of the site and keeps its journal, as long as somebody is at the other end.
# The lock is one of the kernel's: it ends with this process, whatever ends that. A connection whose
# other end lost its power ends with the lease.
set -eu
export LC_ALL=C
umask 022
S="$R/var/lib/stratus/installer"
mkdir -p "$R/var/lib/stratus"
umask 077
mkdir -p "$S/journal"
command -v flock > /dev/null || { echo "flock (util-linux) is missing on this host" >&2; exit 1; }
exec 9>> "$S/lock"
if ! flock -n 9; then
    echo held
    cat "$S/holder" 2> /dev/null || :
    exit 0
fi
printf '%s\n' "$HOLDER" > "$S/holder.new"
mv -f "$S/holder.new" "$S/holder"
J="$S/journal/$NAME"
: >> "$J"
sync "$J"
sync "$S/journal"
: > "$S/lease"
(
    exec 9>&- > /dev/null 2>&1
    while sleep 5; do
        kill -0 $$ || exit
        [ $(($(date +%s) - $(stat -c %Y "$S/lease"))) -le "$LEASE" ] || kill -KILL $$
    done
) &
watch=$!
trap 'kill $watch 2> /dev/null || :' EXIT
echo mine
while IFS= read -r line; do
    : > "$S/lease"
    case $line in
    'R '*) printf '%s\n' "${line#R }" >> "$J" || { echo "no space, or the disk fails"; exit 1; } ;;
    S) if sync "$J"; then echo kept; else echo "sync failed"; exit 1; fi ;;
    esac
done
rm -f "$S/holder"
