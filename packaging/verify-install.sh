#!/bin/sh
# The life of the packages on one bare machine that may be thrown away: installed from a signed
# repository, started, configured, used, upgraded, downgraded, removed, purged. Each stage asserts what
# it promises, and names what was not so. Run as root, one stage after the other:
#
#   verify-install.sh install URL        the repository at URL is added, `stratus` installed
#   verify-install.sh started            services run as installed
#   verify-install.sh configure          an administrator's changes in the site file
#   verify-install.sh round-trip         an image goes through repository and cache and comes back
#   verify-install.sh upgrade VERSION    to this version; the changed site file stays
#   verify-install.sh downgrade VERSION  back; the services and their data go on
#   verify-install.sh remove             programs and services go, settings and data stay
#   verify-install.sh again              a second installation finds both
#   verify-install.sh purge              nothing of ours stays
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
trial=/srv/stratus-trial
site=/etc/stratus/stratus.toml
all="stratus stratus-cache stratus-client stratus-common stratus-installer stratus-monitor stratus-repository"

fail() { printf 'verify-install: %s\n' "$*" >&2; exit 1; }
is() { "$@" > /dev/null 2>&1 || fail "not so: $*"; }
is_not() { if "$@" > /dev/null 2>&1; then fail "should not be: $*"; fi; }
same() { [ "$1" = "$2" ] || fail "\`$1\` is not \`$2\`"; }

family=rpm
if command -v dnf > /dev/null; then
    manager=dnf
elif command -v zypper > /dev/null; then
    manager=zypper
else
    family=deb
fi

apt() { apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"; }
# rpms TASK [PACKAGE…]: the same by dnf and by zypper.
rpms() {
    if [ $manager = zypper ]; then
        case $1 in
        install) shift && set -- install --no-recommends "$@" ;;
        upgrade) zypper -n refresh && set -- update ;;
        downgrade) shift && set -- install --oldpackage "$@" ;;
        clean) set -- clean --all ;;
        esac
        zypper -n "$@"
    else
        case $1 in
        upgrade) set -- --refresh upgrade ;;
        clean) set -- clean all ;;
        esac
        dnf -y "$@"
    fi
}
version() {
    if [ $family = deb ]; then
        dpkg-query -W -f '${Version}\n' "$1"
    else
        rpm -q --queryformat '%{VERSION}-%{RELEASE}\n' "$1"
    fi
}
# The packages that are not of this version, in this version.
at() {
    for name in $all; do
        [ "$(version "$name")" = "$1" ] || printf ' %s%s%s' "$name" "$separator" "$1"
    done
}
case ${manager:-apt} in dnf) separator='-' ;; *) separator='=' ;; esac

add_repository() {
    if [ $family = deb ]; then
        mkdir -p /etc/apt/keyrings
        curl -fsS -o /etc/apt/keyrings/stratus.asc "$1/stratus.asc"
        curl -fsS -o /etc/apt/sources.list.d/stratus.sources "$1/stratus.sources"
        apt update
    elif [ $manager = zypper ]; then
        rpm --import "$1/stratus.asc"
        zypper -n addrepo --refresh "$1/yum/x86_64" stratus
    else
        curl -fsS -o /etc/yum.repos.d/stratus.repo "$1/stratus.repo"
    fi
}

install_all() {
    if [ $family = deb ]; then apt install stratus; else rpms install stratus; fi
}

stage_install() {
    add_repository "$1"
    install_all
    for program in stratus-install stratus-repository stratus-download-image stratus-accounting; do
        is "$program" --version
        is gzip -t "/usr/share/man/man1/$program.1.gz"
    done
    for user in stratus-repository stratus-cache stratus-monitor stratus-accounting; do
        is getent passwd $user
    done
}

stage_started() {
    # Presets decide in RPM's family; on Debian a service that can work is started.
    if [ $family = rpm ]; then systemctl -q enable --now stratus-repository stratus-cache; fi
    for unit in stratus-repository stratus-cache; do
        is systemctl is-active $unit
        is systemctl is-enabled $unit
        process=$(systemctl show -p MainPID --value $unit)
        same "$(stat -c %U "/proc/$process")" $unit
    done
    # It could not work yet.
    is_not systemctl is-active stratus-monitor
    if [ $family = deb ]; then
        is_not systemctl is-enabled stratus-monitor
        is_not systemctl is-enabled stratus-accounting.timer
    fi
    is curl -fsS http://127.0.0.1:8443/readyz
    is curl -fsS http://127.0.0.1:8480/-/cache/healthz
    same "$(stat -c '%U %a' /var/lib/stratus/repository)" 'stratus-repository 750'
    same "$(stat -c '%U %a' /var/cache/stratus)" 'stratus-cache 750'
}

# As an administrator would: TLS, a signer who is trusted, a person with a password; and a monitor of an
# OpenNebula that does not answer, with a login that only systemd can read for it.
stage_configure() {
    mkdir -p $trial && cd $trial
    stratus-generate-cert --server localhost --server 127.0.0.1 --out server
    stratus-generate-cert --subject /O=Example/CN=signer --email signer@example.org --out signer
    hash=$(STRATUS_PASSWORD=trial stratus-repository hash-password)
    printf 'signer:%s\n' "$hash" > users.htpasswd
    chown root:stratus server.key users.htpasswd
    chmod 640 server.key users.htpasswd
    sed -i \
        -e "s|^# tls_certificate = .*|tls_certificate = \"$trial/server.crt\"|" \
        -e "s|^# tls_key = .*|tls_key = \"$trial/server.key\"|" \
        -e "s|^# trust = .*|trust = \"$trial/signer.crt\"|" \
        -e "s|^# \\[identity\\] .*|[identity]|" \
        -e "s|^# password_file = .*|password_file = \"$trial/users.htpasswd\"|" \
        -e "s|^# \\[monitor\\] .*|[monitor]|" \
        -e "s|^# \\(listen = .*:8444.*\\)|\\1|" \
        -e "s|^# \\(endpoint = .*\\)|\\1|" \
        -e "s|^url = .*|url = \"https://127.0.0.1:8443\"\nca = \"$trial/server.crt\"|" \
        $site
    stratus-repository check
    stratus-cache check
    stratus-monitor check
    cp $site $trial/stratus.toml
    mkdir -p /var/lib/one/.one
    chmod 700 /var/lib/one/.one
    echo oneadmin:trial > /var/lib/one/.one/one_auth
    systemctl restart stratus-repository stratus-cache
    systemctl -q enable --now stratus-monitor
    is curl -fsS http://127.0.0.1:8444/healthz
}

# pull FILE [OPTION…]
pull() {
    file=$1
    shift
    stratus-download-image trial-1-x86_64-base-1.0 --repository https://127.0.0.1:8443 \
        --ca $trial/server.crt --trust $trial/signer.crt -o "$trial/$file" "$@"
    is cmp $trial/vm.img "$trial/$file"
    rm "$trial/$file"
}

stage_round_trip() {
    cd $trial
    # Something that does not compress to nothing.
    seq 1 500000 | cksum > vm.img
    head -c 4000000 /dev/urandom >> vm.img
    stratus-build-manifest vm.img --type base --os trial --os-version 1 --arch x86_64 \
        --version 1.0 --user Trial --title Trial -o vm.xml
    stratus-sign-manifest vm.xml --cert signer.crt --key signer.key
    STRATUS_PASSWORD=trial stratus-upload-image vm.img.gz vm.xml \
        --repository https://127.0.0.1:8443 --ca server.crt --user signer
    pull far.img
    pull near.img --cache http://127.0.0.1:8480
    stratus-cache list --json > list.json
    is grep -q '"verified"' list.json
}

# What holds after a change of version: the administrator's words, the services, the image.
goes_on() {
    same "$(version stratus-repository)" "$1"
    same "$(version stratus-common)" "$1"
    is cmp $site $trial/stratus.toml
    for unit in stratus-repository stratus-cache stratus-monitor; do
        is systemctl is-active $unit
        # The program that runs is the one that is installed.
        process=$(systemctl show -p MainPID --value $unit)
        is cmp "/proc/$process/exe" "/usr/bin/$unit"
        case $(readlink "/proc/$process/exe") in *deleted*) fail "$unit was not restarted" ;; esac
    done
    pull far.img
    pull near.img --cache http://127.0.0.1:8480
}

stage_upgrade() {
    if [ $family = deb ]; then
        apt update
        apt upgrade
        # The package's own words are beside the administrator's.
        is test -f $site.dpkg-dist
    else
        rpms upgrade
        is test -f $site.rpmnew
    fi
    goes_on "$1"
}

stage_downgrade() {
    # shellcheck disable=SC2046
    if [ $family = deb ]; then
        is_not apt install $(at "$1")
        apt --allow-downgrades install $(at "$1")
    else
        rpms downgrade $(at "$1")
    fi
    goes_on "$1"
}

stage_remove() {
    # shellcheck disable=SC2086
    if [ $family = deb ]; then apt remove $all; else rpms remove $all; fi
    for unit in stratus-repository stratus-cache stratus-monitor; do
        is_not systemctl is-active $unit
        is_not systemctl cat $unit
        is_not pgrep -u $unit
    done
    is_not test -e /usr/bin/stratus-repository
    is test -d /var/lib/stratus/repository/images
    # rpm keeps what was changed under another name.
    if [ $family = rpm ]; then site=$site.rpmsave; fi
    is cmp $site $trial/stratus.toml
}

stage_again() {
    install_all
    if [ $family = rpm ]; then
        mv $site.rpmsave $site
        systemctl -q enable --now stratus-repository stratus-cache
        systemctl restart stratus-repository stratus-cache
    fi
    pull far.img
    pull near.img --cache http://127.0.0.1:8480
}

stage_purge() {
    if [ $family = deb ]; then
        # shellcheck disable=SC2086
        apt purge $all
        rm -f /etc/apt/sources.list.d/stratus.sources /etc/apt/keyrings/stratus.asc
        apt update
        apt clean
    else
        # shellcheck disable=SC2086
        rpms remove $all
        # RPM knows no purge: data, accounts and changed settings are the administrator's to take away.
        rm -rf /etc/stratus /var/lib/stratus /var/cache/stratus
        rm -f /etc/yum.repos.d/stratus.repo /etc/zypp/repos.d/stratus.repo
        for user in stratus-repository stratus-cache stratus-monitor stratus-accounting; do
            userdel $user
        done
        groupdel stratus
        rpms clean
    fi
    rm -rf $trial /var/lib/one
    is_not getent passwd stratus-repository
    is_not getent group stratus
    is_not test -e /etc/stratus
}

[ $# -ge 1 ] || fail "usage: verify-install.sh STAGE [ARGUMENT]; the stages are in its first lines"
stage=$1
shift
case $stage in
install | started | configure | upgrade | downgrade | remove | again | purge) "stage_$stage" "$@" ;;
round-trip) stage_round_trip ;;
*) fail "there is no stage \`$stage\`" ;;
esac
printf 'verify-install: %s is good\n' "$stage"
