# A package database for a root without packages of rpm's kind, in which `$release` names the system.
mkdir -p etc/rpm tmp/stub
printf '%%_dbpath /var/lib/rpm\n' > etc/rpm/macros
# The one package of the database: it says that everything is there which really is.
{
    printf 'Name: base-stub\nVersion: 9\nRelease: 1\nSummary: What this root has\nLicense: none\n'
    printf 'BuildArch: noarch\n'
    printf 'Provides: %s\n' /bin/sh /bin/bash bash 'glibc = 2.34' 'systemd = 252' openssh-clients \
        openssh-server sudo iproute shadow-utils curl ca-certificates python3 nftables \
        'rtld(GNU_HASH)' "$release"
    chroot . sh -c 'find /usr/lib/x86_64-linux-gnu -type f \( -name "lib*.so.*" -o -name "ld-*.so.*" \) |
        /usr/lib/rpm/elfdeps --provides' | sort -u | sed 's/^/Provides: /'
    printf '%%description\nA stand-in.\n%%files\n'
} > tmp/stub/stub.spec
chroot . rpmbuild --quiet -bb --define '_topdir /tmp/stub' --define '__os_install_post %{nil}' \
    /tmp/stub/stub.spec
chroot . sh -c 'mkdir -p /var/lib/rpm && rpm --initdb && rpm --force-debian -i /tmp/stub/RPMS/noarch/*.rpm'
rm -r tmp/stub
