# Makes a Debian root look like one of Enterprise Linux 9 to whoever asks os-release, rpm and dnf. Its
# files stay where Debian has them, and no package of the real thing is in it.
cat > usr/lib/os-release << 'END'
NAME="AlmaLinux"
VERSION="9.6 (stand-in)"
ID="almalinux"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="AlmaLinux 9.6 (stand-in)"
END
rm -f etc/debian_version
mkdir -p etc/yum.repos.d etc/dnf/vars etc/rpm tmp/stub
echo 9 > etc/dnf/vars/releasever
printf 'reposdir=/etc/yum.repos.d\n' >> etc/dnf/dnf.conf
printf '%%_dbpath /var/lib/rpm\n' > etc/rpm/macros
# The one package of the database: it says that everything is there which really is.
{
    printf 'Name: el-base-stub\nVersion: 9\nRelease: 1\nSummary: What this root has\nLicense: none\n'
    printf 'BuildArch: noarch\n'
    printf 'Provides: %s\n' /bin/sh /bin/bash bash 'glibc = 2.34' 'systemd = 252' openssh-clients \
        openssh-server sudo iproute shadow-utils curl ca-certificates python3 nftables \
        'rtld(GNU_HASH)' 'system-release(releasever) = 9'
    chroot . sh -c 'find /usr/lib/x86_64-linux-gnu -type f \( -name "lib*.so.*" -o -name "ld-*.so.*" \) |
        /usr/lib/rpm/elfdeps --provides' | sort -u | sed 's/^/Provides: /'
    printf '%%description\nA stand-in.\n%%files\n'
} > tmp/stub/stub.spec
chroot . rpmbuild --quiet -bb --define '_topdir /tmp/stub' --define '__os_install_post %{nil}' \
    /tmp/stub/stub.spec
chroot . sh -c 'mkdir -p /var/lib/rpm && rpm --initdb && rpm --force-debian -i /tmp/stub/RPMS/noarch/*.rpm'
rm -r tmp/stub
