# make_group NAME [GID]
make_group() {
    if found=$(getent group "$1"); then
        number=$(printf '%s\n' "$found" | cut -d: -f3)
        [ -z "${2:-}" ] || [ "$number" = "$2" ] ||
            die "the group $1 has the number $number, and the site needs $2; change it by hand (groupmod -g $2 $1, then the owner of its files)"
        note "$S/after/group:$1" "$(words_digest "$1" "${2:-}")"
        return 0
    fi
    if keep "group:$1"; then
        echo absent > "$B/kind"
        kept "group:$1"
    fi
    doing "groupadd $1"
    if [ -n "${2:-}" ]; then groupadd -g "$2" "$1"; else groupadd -r "$1"; fi
    changed "group $1"
    note "$S/after/group:$1" "$(words_digest "$1" "${2:-}")"
}

# make_user NAME UID|- GROUP HOME SHELL [GROUP...]
make_user() {
    name=$1 number=$2 group=$3 home=$4 shell=$5 as=$(words_digest "$@")
    shift 5
    if keep "user:$name"; then
        getent passwd "$name" > "$B/entry" || :
        id -Gn "$name" > "$B/groups" 2>/dev/null || :
        kept "user:$name"
    fi
    if found=$(getent passwd "$name"); then
        has=$(printf '%s\n' "$found" | cut -d: -f3)
        [ "$number" = - ] || [ "$has" = "$number" ] ||
            die "the user $name has the number $has, and the site needs $number; change it by hand (usermod -u $number $name, then the owner of its files)"
        if [ "$(id -gn "$name")" != "$group" ]; then usermod -g "$group" "$name"; changed "user $name: group"; fi
        if [ "$(printf '%s\n' "$found" | cut -d: -f6)" != "$home" ]; then usermod -d "$home" "$name"; changed "user $name: home"; fi
        if [ "$(printf '%s\n' "$found" | cut -d: -f7)" != "$shell" ]; then usermod -s "$shell" "$name"; changed "user $name: shell"; fi
    else
        doing "useradd $name"
        if [ "$number" = - ]; then set_number=-r; else set_number="-u $number"; fi
        useradd $set_number -M -g "$group" -d "$home" -s "$shell" "$name"
        changed "user $name"
    fi
    if [ ! -d "$R$home" ]; then
        folder "$R$home"
        chown "$name:$group" -- "$R$home"
        chmod 750 -- "$R$home"
    fi
    for more in "$@"; do
        case " $(id -Gn "$name") " in
        *" $more "*) ;;
        *) usermod -a -G "$more" "$name"; changed "user $name: group $more" ;;
        esac
    done
    note "$S/after/user:$name" "$as"
}
