# Sets keys of oned.conf: the first file holds the wanted statements, the second one is the
# configuration. A statement is `KEY = value`; a value in brackets may run over several lines.

function begin(line) {
    depth = 0
    quoted = 0
    key = line
    sub(/^[ \t]*/, "", key)
    sub(/[ \t]*=.*/, "", key)
}

# Moves over a line; sets `tail`, the comment at its end, and says whether the statement ends.
function ends(line,    i, c, last) {
    tail = ""
    last = 0
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (quoted) {
            if (c == "\\") i++
            else if (c == "\"") quoted = 0
        } else if (c == "\"") quoted = 1
        else if (c == "#") {
            tail = substr(line, last + 1)
            break
        } else if (c == "[") depth++
        else if (c == "]" && depth > 0) depth--
        if (c != " " && c != "\t") last = i
    }
    return !quoted && depth == 0
}

{ statement = open || $0 ~ /^[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*=/ }

NR == FNR {
    if (!statement) next
    if (!open) {
        begin($0)
        wanted[key]++
        order[++count] = key SUBSEP wanted[key]
        text[key, wanted[key]] = $0
    } else text[key, wanted[key]] = text[key, wanted[key]] "\n" $0
    open = !ends($0)
    next
}

FNR == 1 { open = 0; statement = ($0 ~ /^[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*=/) }

!statement { print; next }

{
    if (!open) {
        begin($0)
        ours = (key in wanted) && used[key] < wanted[key]
        if (ours) used[key]++
    }
    open = !ends($0)
    if (!ours) print
    else if (!open) print text[key, used[key]] tail
}

END {
    for (i = 1; i <= count; i++) {
        split(order[i], name, SUBSEP)
        if (name[2] + 0 > used[name[1]] + 0) print text[name[1], name[2]]
    }
}
