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
mkdir -p etc/yum.repos.d etc/dnf/vars
echo 9 > etc/dnf/vars/releasever
printf 'reposdir=/etc/yum.repos.d\n' >> etc/dnf/dnf.conf
release='system-release(releasever) = 9'
