# undo_path KEY PATH: the path as it was before us; what somebody changed since stays.
undo_path() {
    record="$S/before/$1"
    [ -f "$record/kind" ] || return 0
    kind=$(cat "$record/kind")
    if [ -f "$2" ] && [ -f "$S/after/$1" ] && [ "$(digest "$2")" != "$(cat "$S/after/$1")" ]; then
        left "$2: changed by somebody since; how it was before is in $record"
        return 0
    fi
    case $kind in
    file)
        new=$(beside "$2")
        rm -f -- "$new"
        mkdir -p -- "$(folder_of "$2")"
        cp -p -- "$record/content" "$new"
        sync "$new"
        mv -fT -- "$new" "$2"
        ;;
    link)
        new=$(beside "$2")
        rm -f -- "$new"
        ln -s -- "$(cat "$record/target")" "$new"
        mv -fT -- "$new" "$2"
        ;;
    absent)
        if [ -d "$2" ] && [ ! -L "$2" ]; then
            rmdir -- "$2" 2>/dev/null || { left "$2: not empty"; return 0; }
        else
            rm -f -- "$2"
        fi
        ;;
    directory) restore_access "$record" "$2" ;;
    esac
    [ ! -d "$(folder_of "$2")" ] || sync "$(folder_of "$2")"
    if [ -f "$2.stratus-orig" ] && cmp -s "$2" "$2.stratus-orig"; then rm -f -- "$2.stratus-orig"; fi
    rm -rf "$record" "$S/after/$1"
    changed "$2 as before"
}

restore_access() {
    read -r mode user group < "$1/access"
    chown -h "$user:$group" -- "$2"
    chmod "$mode" -- "$2"
}

# undo_block KEY PATH COMMENT NAME: takes the block away and leaves the rest as it is now.
undo_block() {
    [ -d "$S/before/$1" ] || return 0
    path=$2
    [ ! -L "$path" ] || path=$(readlink -f -- "$path")
    if [ -f "$path" ]; then
        check_marks "$3 BEGIN STRATUS $4" "$3 END STRATUS $4" "$path" "$path"
        new=$(beside "$path")
        rm -f -- "$new"
        (umask 077 && set -C && without_block "$3" "$4" "$path" > "$new")
        if [ ! -s "$new" ] && [ "$(cat "$S/before/$1/kind")" = absent ]; then
            rm -f -- "$new" "$path"
        else
            chown --reference="$path" -- "$new"
            chmod --reference="$path" -- "$new"
            sync "$new"
            mv -fT -- "$new" "$path"
        fi
        sync "$(folder_of "$path")"
    fi
    rm -rf "$S/before/$1" "$S/after/$1"
    changed "$2 without our lines"
}

# undo_group NAME, undo_user NAME: only what we made, and no home.
undo_group() {
    [ "$(cat "$S/before/group:$1/kind" 2>/dev/null)" = absent ] || return 0
    if getent group "$1" > /dev/null; then groupdel "$1" || { left "group $1: in use"; return 0; }; fi
    rm -rf "$S/before/group:$1"
    changed "group $1 removed"
}
undo_user() {
    record="$S/before/user:$1"
    [ -d "$record" ] || return 0
    if [ -s "$record/entry" ]; then
        home=$(cut -d: -f6 "$record/entry") shell=$(cut -d: -f7 "$record/entry") number=$(cut -d: -f4 "$record/entry")
        usermod -g "$number" -d "$home" -s "$shell" -G "$(tr ' ' ',' < "$record/groups")" "$1"
        changed "user $1 as before"
    elif getent passwd "$1" > /dev/null; then
        userdel "$1" || { left "user $1: has processes"; return 0; }
        left "the files of the user $1"
        changed "user $1 removed"
    fi
    rm -rf "$record"
}
