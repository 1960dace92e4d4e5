# Makes a Debian root look like openSUSE Leap 16 to whoever asks os-release, rpm and zypper. Its files
# stay where Debian has them, and no package of the real thing is in it.
cat > usr/lib/os-release << 'END'
NAME="openSUSE Leap"
VERSION="16.0 (stand-in)"
ID="opensuse-leap"
ID_LIKE="suse opensuse"
VERSION_ID="16.0"
PRETTY_NAME="openSUSE Leap 16.0 (stand-in)"
END
rm -f etc/debian_version
mkdir -p etc/zypp/repos.d
release='openSUSE-release = 16.0'
