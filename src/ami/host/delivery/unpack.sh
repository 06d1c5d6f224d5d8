# Puts files where they belong, and touches nothing that is as it should be. `root` is where / is; `changed` counts.
root=${ELKBAKE_ROOT:-}
changed=0
declare -A ours=()

# lay KIND PATH ...: goes on where something cannot be put, and remembers it.
missed=()
lay() {
    "$@" || missed+=("$2")
}

# file PATH MODE OWNER PROGRAM [WORD...]: what the program makes of its input. On its way it is root's alone, as mktemp
# makes it, and nobody asks for its name. A folder whose files are as they should be is not touched either: what is newer
# there than what runs is read anew.
made=$(mktemp -p "${ELKBAKE_RUN:-/run}")
file() {
    local at=$root$1 mode=$2 owner=$3 aside
    ours[$1]=1
    shift 3
    "$@" > "$made" || return
    if [ -f "$at" ] && [ ! -L "$at" ] && [ "$(stat -c '%a %u:%g' -- "$at")" = "$mode $owner" ] &&
        [ "$(sha256sum < "$at")" = "$(sha256sum < "$made")" ]; then
        return
    fi
    way "${at%/*}" && aside=$(mktemp -- "${at%/*}/.elkbake.XXXXXX") || return
    # The owner first: changing it takes set-id bits away.
    if cat -- "$made" > "$aside" && chown -- "$owner" "$aside" && chmod -- "$mode" "$aside" && mv -fT -- "$aside" "$at"; then
        changed=$((changed + 1))
    else
        rm -f -- "$aside"
        return 1
    fi
}

# link PATH OWNER TARGET
link() {
    local at=$root$1 aside
    ours[$1]=1
    if [ -L "$at" ] && [ "$(readlink -- "$at"; echo .)" = "$3"$'\n.' ] && [ "$(stat -c %u:%g -- "$at")" = "$2" ]; then
        return
    fi
    way "${at%/*}" && aside=$(mktemp -u -- "${at%/*}/.elkbake.XXXXXX") || return
    if ln -s -- "$3" "$aside" && chown -h -- "$2" "$aside" && mv -fT -- "$aside" "$at"; then
        changed=$((changed + 1))
    else
        rm -f -- "$aside"
        return 1
    fi
}

# folder PATH MODE OWNER
folder() {
    local at=$root$1
    way "$at" || return
    if [ "$(stat -Lc '%a %u:%g' -- "$at")" != "$2 $3" ]; then
        chown -- "$3" "$at" && chmod -- "$2" "$at" && changed=$((changed + 1))
    fi
}

# way FOLDER: folders that nothing is said about are root's, and everybody may look into them.
way() {
    [ -d "$1/" ] || mkdir -p -- "$1"
}

# plain: bytes as `printf %b` has them, without the line feed at the end.
plain() {
    local text
    IFS= read -rd '' text
    printf %b "${text%?}"
}

# settle: takes away what an earlier document put here and this one does not.
settle() {
    local list=$root/etc/elkbake/files path
    if [ -f "$list" ]; then
        while IFS= read -rd '' path; do
            if [ -z "${ours[$path]:-}" ] && { [ -f "$root$path" ] || [ -L "$root$path" ]; }; then
                rm -f -- "$root$path" && changed=$((changed + 1))
            fi
        done < "$list"
    fi
    lay file /etc/elkbake/files 600 "$(id -u):$(id -g)" list "${!ours[@]}"
    : > "$made"
}

list() {
    printf '%s\0' "$@" | sort -z
}
