# Back to what the records say, whatever plan made them. What somebody changed since, data, and what
# others need stay; each has a line that begins with `left`.

# data PATH: whether it is in one of the places that hold data ($data, one on each line).
data() {
    while IFS= read -r place; do
        case $1 in "$R$place" | "$R$place"/*) [ -z "$place" ] || return 0 ;; esac
    done << END
$data
END
    return 1
}

# give_back DATA...: everything that is recorded but units and network, which were before.
give_back() {
    data=$(printf '%s\n' "$@")
    for record in "$S"/before/block:*; do
        if [ -d "$record" ]; then undo_block "$record"; fi
    done
    for record in "$S"/before/path:*; do
        if [ -d "$record" ]; then undo_path "$record"; fi
    done
    read_again
    undo_libvirt_network
    undo_nfs_machines
    remove_packages
    remove_settings
    forget_keys
    undo_accounts
    if [ -f "$S/carried" ]; then
        rm -rf -- "$R/var/lib/stratus/packages"
        rm -f -- "$S/carried"
        changed "$R/var/lib/stratus/packages removed"
    fi
    for record in "$S"/before/database:*; do
        [ -d "$record" ] || continue
        left "the database ${record##*:}: its data are not ours to delete"
        rm -rf "$record"
    done
    for place in "$@"; do
        if [ -d "$R$place" ]; then left "$R$place: it holds data"; fi
    done
    undo_folders
    forget
}

drop() { rm -rf "$1" "$S/after/${1##*/}"; }

# undo_path RECORD: a file or link as it was before us; folders come last.
undo_path() {
    record=$1
    path=$(cat "$record/path")
    if data "$path"; then drop "$record"; return 0; fi
    key=${record##*/}
    if [ -f "$path" ] && [ -f "$S/after/$key" ] && [ "$(digest "$path")" != "$(cat "$S/after/$key")" ]; then
        left "$path: changed by somebody since; how it was before is in $record"
        return 0
    fi
    case $(cat "$record/kind") in
    file)
        new=$(beside "$path")
        rm -f -- "$new"
        folder "$(folder_of "$path")"
        cp -p -- "$record/content" "$new"
        sync "$new"
        mv -fT -- "$new" "$path"
        ;;
    link)
        new=$(beside "$path")
        rm -f -- "$new"
        ln -s -- "$(cat "$record/target")" "$new"
        mv -fT -- "$new" "$path"
        ;;
    absent)
        if [ -d "$path" ] && [ ! -L "$path" ]; then
            remember "$S/folders-made" "$path"
            drop "$record"
            return 0
        fi
        forget_lists "$path"
        rm -f -- "$path"
        ;;
    directory)
        if [ -d "$path" ]; then
            read -r mode user group < "$record/access"
            [ "$(stat -c '%a %u %g' -- "$path")" = "$mode $user $group" ] || {
                chown -h "$user:$group" -- "$path"
                chmod "$mode" -- "$path"
                changed "$path: owner and permissions as before"
            }
        fi
        drop "$record"
        return 0
        ;;
    esac
    [ ! -d "$(folder_of "$path")" ] || sync "$(folder_of "$path")"
    if [ -f "$path.stratus-orig" ] && cmp -s "$path" "$path.stratus-orig"; then rm -f -- "$path.stratus-orig"; fi
    drop "$record"
    changed "$path as before"
}

# undo_block RECORD: takes the block away and leaves the rest as it is now.
undo_block() {
    record=$1
    path=$(cat "$record/path")
    if data "$path" || [ ! -f "$record/marks" ]; then drop "$record"; return 0; fi
    comment=$(sed -n 1p "$record/marks") name=$(sed -n 2p "$record/marks")
    if [ -f "$path" ]; then
        check_marks "$comment BEGIN STRATUS $name" "$comment END STRATUS $name" "$path" "$path"
        new=$(beside "$path")
        rm -f -- "$new"
        (umask 077 && set -C && without_block "$comment" "$name" "$path" > "$new")
        if [ ! -s "$new" ] && [ "$(cat "$record/kind")" = absent ]; then
            rm -f -- "$new" "$path"
        else
            chown --reference="$path" -- "$new"
            chmod --reference="$path" -- "$new"
            sync "$new"
            mv -fT -- "$new" "$path"
        fi
        sync "$(folder_of "$path")"
    fi
    drop "$record"
    changed "$path without our lines"
}

# Folders that were made for our files go when they are empty.
undo_folders() {
    sort -ru "$S/folders-made" 2>/dev/null > "$S/work/made" || :
    while IFS= read -r path; do
        if [ ! -d "$path" ] || data "$path"; then continue; fi
        if rmdir -- "$path" 2>/dev/null; then changed "$path removed"; else left "$path: not empty"; fi
    done < "$S/work/made"
}

# Our own records go when nothing is recorded any more.
forget() {
    if [ -n "$(ls -A "$S/before")" ] || [ -f "$S/packages-added" ]; then
        left "$S: how things that stay were before"
        return 0
    fi
    rm -rf "$S/before" "$S/after" "$S/seen" "$S/work" "$S/network" "$S/folders-made" "$S/accounts-added" "$S/again"
    rmdir -- "$S" 2>/dev/null || left "$S: the journal of what was done to this site"
    [ -d "$S" ] || rmdir -- "$R/var/lib/stratus" 2>/dev/null || :
}

# Accounts as they were; those that came with us go unless files belong to them.
undo_accounts() {
    users= groups=
    for record in "$S"/before/user:*; do
        [ -d "$record" ] || continue
        name=${record##*/user:}
        # Packages that we added may have made it before we looked.
        if [ -s "$record/entry" ] && ! grep -qsxF -e "user $name" "$S/accounts-added"; then user_as_before "$record" "$name"; else users="$users $name"; fi
        rm -rf "$record" "$S/after/user:$name"
    done
    for record in "$S"/before/group:*; do
        [ -d "$record" ] || continue
        groups="$groups ${record##*/group:}"
        rm -rf "$record" "$S/after/group:${record##*/group:}"
    done
    if [ -f "$S/accounts-added" ]; then
        users="$users $(sed -n 's/^user //p' "$S/accounts-added")"
        groups="$groups $(sed -n 's/^group //p' "$S/accounts-added")"
    fi
    owned=
    for name in $(printf '%s\n' $users | sort -u); do remove_account passwd "$name"; done
    for name in $(printf '%s\n' $groups | sort -u); do remove_account group "$name"; done
}

user_as_before() {
    getent passwd "$2" > /dev/null || return 0
    home=$(cut -d: -f6 "$1/entry") shell=$(cut -d: -f7 "$1/entry") number=$(cut -d: -f4 "$1/entry")
    groups_before=
    for group in $(cat "$1/groups"); do
        # Some may have gone with their packages.
        if getent group "$group" > /dev/null; then groups_before="${groups_before:+$groups_before,}$group"; fi
    done
    usermod -g "$number" -d "$home" -s "$shell" -G "$groups_before" "$2"
    changed "user $2 as before"
}

# The file systems of this host's own disks.
own_places() {
    printf '%s\n' "${R:-/}"
    [ -n "$R" ] || sed -n 's|^/dev/[^ ]* \(/[^ ]\{1,\}\) .*|\1|p' /proc/self/mounts
}

# remove_account passwd|group NAME
remove_account() {
    found=$(getent "$1" "$2") || return 0
    number=$(printf '%s\n' "$found" | cut -d: -f3)
    case $1 in
    passwd) word=user by=-uid tool=userdel ;;
    *) word=group by=-gid tool=groupdel ;;
    esac
    for place in $(own_places); do
        # Its empty folders came with it.
        find "$place" -xdev -depth $by "$number" -type d -print 2>/dev/null > "$S/work/theirs" || :
        while IFS= read -r path; do
            data "$path" || rmdir -- "$path" 2>/dev/null || :
        done < "$S/work/theirs"
        one=$(find "$place" -xdev $by "$number" -print -quit 2>/dev/null) || :
        if [ -n "$one" ]; then left "$word $2: files belong to it, such as $one"; return 0; fi
    done
    $tool "$2" || { left "$word $2: in use"; return 0; }
    changed "$word $2 removed"
}
