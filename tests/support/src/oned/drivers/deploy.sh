# The domain, given to libvirt of the host.
file=/var/lib/one/datastores/0/$ID/deployment.0
ssh "$HOST" "cat > $file && virsh --quiet --connect qemu:///system create $file"
