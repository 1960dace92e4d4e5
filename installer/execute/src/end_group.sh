# Ends the processes of a group and all that they started: apt gives dpkg a session of its own.
group=#GROUP#
tree=
for round in 1 2 3 4 5 6 7 8; do
    before=$tree
    for stat in /proc/[0-9]*/stat; do
        read -r line < "$stat" || continue
        process=${line%% *}
        # The name of a program may hold anything, blanks and brackets too.
        set -- ${line##*) }
        case " $tree " in *" $process "*) continue ;; esac
        if [ "$3" = "$group" ]; then tree="$tree $process"; continue; fi
        case " $tree " in *" $2 "*) tree="$tree $process" ;; esac
    done 2> /dev/null
    [ "$tree" != "$before" ] || break
done
[ -n "$tree" ] || exit 0
kill -TERM $tree 2> /dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.2
    kill -0 $tree 2> /dev/null || exit 0
done
kill -KILL $tree 2> /dev/null
