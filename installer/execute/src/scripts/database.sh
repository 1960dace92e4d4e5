# database NAME PASSWORD_FILE: the statement goes through a pipe, never by the command line.
database() {
    if have mariadb; then client=mariadb; elif have mysql; then client=mysql
    else die "there is no mariadb client on this host; the package mariadb-client brings it"; fi
    [ -s "$2" ] || die "$2 is empty or absent; an earlier step should have made the password"
    doing "$client: database $1"
    if keep "database:$1"; then
        echo "SHOW DATABASES LIKE '$1';" | $client -N -B > "$B/was"
        kept "database:$1"
    fi
    quoted=$(head -n 1 "$2" | sed -e 's/\\/\\\\/g' -e "s/'/\\\\'/g")
    printf '%s\n' "SET SESSION sql_mode='';" \
        "CREATE DATABASE IF NOT EXISTS \`$1\` CHARACTER SET utf8mb4;" \
        "CREATE USER IF NOT EXISTS '$1'@'localhost' IDENTIFIED BY '$quoted';" \
        "ALTER USER '$1'@'localhost' IDENTIFIED BY '$quoted';" \
        "GRANT ALL PRIVILEGES ON \`$1\`.* TO '$1'@'localhost';" | $client
}
