chosen() {
    case $q in
    all) [ -e "$p" ] || [ -L "$p" ] ;;
    files) [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ] ;;
    open) [ $s = 0 ] && [ -f "$p" ] && [ ! -L "$p" ] && [ -r "$p" ] ;;
    links) [ -L "$p" ] ;;
    esac
}
# each KIND: the numbers of the paths of this kind, and then what `told` says of them, in one process.
each() {
    q=$1 n=
    set --
#LIST#
    printf '%s\n' "$n"
    [ $# = 0 ] || told "$@" 2> /dev/null
}
section paths
told() { stat --printf='%f %U %G\n' -- "$@"; }
each all
section digests
told() { sha256sum -z -- "$@" | tr '\n\0' '?\n' | cut -c1-64; }
each files
section sizes
told() { stat --printf='%s\n' -- "$@"; }
each open
section contents
told() { head -q -c 65537 -- "$@" | base64 -w0; }
each open
section targets
told() { readlink -z -- "$@" | base64 -w0; }
each links
