# The machine's files: kernel and initial file system where it has them, and the context's CD.
folder=/var/lib/one/datastores/0/$ID
here=/var/lib/one/vms/$ID
rm -rf "$here"
mkdir -p "$here/cd"
cat > "$here/cd/context.sh"
genisoimage -quiet -o "$here/disk.$DISK" -V CONTEXT -J -R "$here/cd"
ssh "$HOST" mkdir -p "$folder" < /dev/null
[ -z "$KERNEL" ] || scp -q "$KERNEL" "$HOST:$folder/kernel"
[ -z "$INITRD" ] || scp -q "$INITRD" "$HOST:$folder/initrd"
scp -q "$here/disk.$DISK" "$HOST:$folder/disk.$DISK"
