# whole PATH MODE OWNER GROUP KEY LENGTH DIGEST
whole() {
    folder "$(folder_of "$1")"
    new=$(beside "$1")
    receive "$6" "$7" "$new"
    settle "$new" "$1" "$2" "$3" "$4" "$5" whole
}

# The part of a file that is ours: what PART prints becomes the file. Whoever owns the file keeps it.
# part PATH MODE OWNER GROUP KEY LENGTH DIGEST PART [its arguments]
part() {
    path=$1 mode=$2 owner=$3 group=$4 key=$5
    folder "$(folder_of "$path")"
    [ ! -L "$path" ] || path=$(readlink -f -- "$path")
    receive "$6" "$7" "$S/work/part"
    shift 7
    old="$S/work/old"
    rm -f "$old"
    if [ -f "$path" ]; then
        (umask 077 && cat -- "$path" > "$old")
        mode=$(stat -c %a -- "$path") owner=$(stat -c %U -- "$path") group=$(stat -c %G -- "$path")
    else
        (umask 077 && : > "$old")
    fi
    new=$(beside "$path")
    rm -f -- "$new"
    (umask 077 && set -C && "$@" "$path" > "$new")
    rm -f "$old" "$S/work/part"
    # Whoever takes the block out again finds it by its marks.
    marks=
    [ "$1" != block ] || marks="$2
$3"
    settle "$new" "$path" "$mode" "$owner" "$group" "$key" part
}

# check_marks BEGIN END FILE PATH: a block that begins and does not end would eat the file.
check_marks() {
    b=$(grep -cxF -e "$1" "$3" || :) e=$(grep -cxF -e "$2" "$3" || :)
    [ "$b" = "$e" ] && [ "$b" -le 1 ] ||
        die "$4: \`$1\` stands there $b times and \`$2\` $e times; mend the file so that there is one of each, or none, and run it again"
}

# block COMMENT NAME PATH
block() {
    check_marks "$1 BEGIN STRATUS $2" "$1 END STRATUS $2" "$old" "$3"
    awk -v begin="$1 BEGIN STRATUS $2" -v end="$1 END STRATUS $2" -v body="$S/work/part" '
        function ours(line) {
            print begin
            while ((getline line < body) > 0) print line
            print end
            found = 1
        }
        $0 == begin { ours(); inside = 1 }
        !inside { print }
        $0 == end { inside = 0 }
        END { if (!found) ours() }
    ' "$old"
}

# without_block COMMENT NAME FILE
without_block() {
    awk -v begin="$1 BEGIN STRATUS $2" -v end="$1 END STRATUS $2" '
        $0 == begin { inside = 1 }
        !inside { print }
        $0 == end { inside = 0 }
    ' "$3"
}

# directory PATH MODE OWNER GROUP KEY
directory() {
    if [ -e "$1" ] && [ ! -d "$1" ]; then
        die "$1 is no directory; put what is there aside and run it again"
    fi
    keep_path "$5" "$1"
    if [ ! -d "$1" ]; then
        folder "$(folder_of "$1")"
        mkdir -- "$1"
        changed "$1"
    fi
    [ -L "$1" ] || access "$1" "$2" "$3" "$4"
    sync "$(folder_of "$1")"
    note "$S/after/$5" "$(words_digest "$2" "$3" "$4")"
}

# secret PATH MODE OWNER GROUP KEY PREFIX
secret() {
    folder "$(folder_of "$1")"
    if [ -s "$1" ]; then
        keep_path "$5" "$1"
        access "$1" "$2" "$3" "$4"
        return 0
    fi
    new=$(beside "$1")
    rm -f -- "$new"
    value=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
    # printf is part of the shell: the secret stands on no command line.
    (umask 077 && set -C && printf '%s%s\n' "$6" "$value" > "$new")
    settle "$new" "$1" "$2" "$3" "$4" "$5" part
}

# ssh_key USER PATH KEY
ssh_key() {
    group=$(id -gn "$1") || die "there is no user $1"
    home_keys=$(folder_of "$2")
    if [ ! -d "$home_keys" ]; then
        folder "$home_keys"
        chown "$1:$group" -- "$home_keys"
        chmod 700 -- "$home_keys"
    fi
    keep_path "$3" "$2"
    keep_path "$3.pub" "$2.pub"
    if [ ! -s "$2" ]; then
        doing "ssh-keygen for $1"
        rm -f "$S/work/key" "$S/work/key.pub"
        ssh-keygen -q -t ed25519 -N '' -C "$1@$(uname -n)" -f "$S/work/key"
        rm -f "$S/work/key.pub"
        chown "$1:$group" "$S/work/key"
        mv -fT "$S/work/key" "$(beside "$2")"
        sync "$(beside "$2")"
        mv -fT "$(beside "$2")" "$2"
        sync "$home_keys"
        changed "$2"
    fi
    # From the private key, so that the two always belong together.
    new=$(beside "$2.pub")
    rm -f -- "$new"
    (set -C && ssh-keygen -y -f "$2" < /dev/null > "$new") ||
        die "$2 is no private key without a passphrase; put it aside and run it again"
    if [ -s "$2.pub" ] && [ "$(cut -d' ' -f1,2 < "$2.pub")" = "$(cut -d' ' -f1,2 < "$new")" ]; then
        rm -f -- "$new"
    else
        settle "$new" "$2.pub" 644 "$1" "$group" "$3.pub" part
    fi
    access "$2" 600 "$1" "$group"
}

# seen_file NAME RECIPE PATH: what a secret file was made of, and what it was then.
seen_file() { note "$S/seen/$1" "$2:$(digest "$3")"; }
