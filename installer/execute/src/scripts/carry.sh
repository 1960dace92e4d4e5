# Packages that are carried here piece by piece: what is whole stays, what was cut off goes on where it
# was. The index comes last, so that it never names what is not here.
P="$R/var/lib/stratus/packages"

# cargo: what is installed, what is here, and how far the piece got that was cut off.
cargo() {
    remember "$S/carried" yes
    (umask 022 && mkdir -p "$P")
    echo installed
    if have dpkg-query; then
        dpkg-query -W -f='${db:Status-Abbrev}\t${Package}\t${Version}\n' | sed -n 's/^ii *\t//p'
    else
        rpm -qa --qf '%{NAME}\t%{EVR}\n'
    fi
    echo here
    (cd "$P" && find . -type f ! -name '*.part' ! -name index.sha256 -exec sha256sum -- {} +)
    echo parts
    (cd "$P" && find . -type f -name '*.part' -printf '%s\t%p\n')
    echo end
}

# piece FILE OFFSET LENGTH DIGEST: appends a piece.
piece() {
    part="$P/$1.part"
    (umask 022 && mkdir -p "$(folder_of "$part")")
    receive "$3" "$4" "$S/work/piece"
    [ "$2" = 0 ] || truncate -s "$2" -- "$part"
    if [ "$2" = 0 ]; then rm -f -- "$part"; fi
    (umask 022 && cat "$S/work/piece" >> "$part")
    rm -f -- "$S/work/piece"
}

# whole_now FILE DIGEST: all pieces are there.
whole_now() {
    [ "$(digest "$P/$1.part")" = "$2" ] || {
        rm -f -- "$P/$1.part"
        die "$1 did not arrive as it was signed; run it again"
    }
    sync "$P/$1.part"
    mv -f -- "$P/$1.part" "$P/$1"
}

# carried_all SEEN-NAME SEEN LENGTH DIGEST FILE...: the index as it is listed, and nothing but these
# files.
carried_all() {
    seen_name=$1 seen=$2
    receive "$3" "$4" "$S/work/index"
    shift 4
    printf './%s\n' "$@" index.sha256 | sort -u > "$S/work/wanted"
    (cd "$P" && sha256sum -c --quiet --strict "$S/work/index") || die "the index of the packages did not arrive whole; run it again"
    (umask 022 && cat "$S/work/index" > "$P/index.sha256.new~")
    sync "$P/index.sha256.new~"
    mv -f -- "$P/index.sha256.new~" "$P/index.sha256"
    (cd "$P" && find . -type f) | sort | comm -23 - "$S/work/wanted" | while IFS= read -r old; do
        rm -f -- "$P/$old"
    done
    rm -f "$S/work/index" "$S/work/wanted"
    note "$S/seen/$seen_name" "$seen"
    changed "packages in $P"
}
