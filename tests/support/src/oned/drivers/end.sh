# The domain ends, and its files go.
gone="virsh --connect qemu:///system destroy one-$ID 2>&1 | grep -q -v 'failed to get domain' || :"
ssh "$HOST" "$gone; ! virsh --connect qemu:///system domstate one-$ID 2> /dev/null && rm -rf /var/lib/one/datastores/0/$ID" < /dev/null
rm -rf "/var/lib/one/vms/$ID"
