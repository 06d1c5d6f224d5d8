# The Docker daemon: what the base says of it and what the recipe says, each once. A part of apply.sh.

# The value that a file gives a variable, as systemd reads it.
value_of() {
    local line value='' more=''
    while IFS= read -r line || [ -n "$line" ]; do
        if [ -n "$more" ]; then
            line=$more$line more=''
        elif ! [[ $line =~ ^[[:space:]]*$2= ]]; then
            continue
        fi
        if [[ $line == *\\ ]]; then
            more=${line%\\}
        else
            value=${line#*=}
        fi
    done < "$1"
    value=$(sed 's/^[[:space:]]*//; s/[[:space:]]*$//' <<< "$value")
    case $value in
        \"*\") sed -E 's/\\(["\\`$])/\1/g' <<< "${value:1:-1}" ;;
        \'*\') echo "${value:1:-1}" ;;
        *) echo "$value" ;;
    esac
}

# A file with another value for a variable: where it had one first, or at the end. With nothing to say, without it.
with_value() {
    local quoted
    quoted=$(sed -E 's/(["\\`$])/\\\1/g' <<< "$3")
    VALUE="$2=\"$quoted\"" awk -v name="$2" -v says="$3" '
        function put() { if (!done && says != "") print ENVIRON["VALUE"]; done = 1 }
        goes_on { goes_on = /\\$/; next }
        $0 ~ "^[[:space:]]*" name "=" { put(); goes_on = /\\$/; next }
        { print }
        END { put() }
    ' "$1"
}

# Splits a text into `words` where systemd does, and leaves quotes as they are.
split() {
    local word='' quote='' c i
    words=()
    for ((i = 0; i < ${#1}; i++)); do
        c=${1:i:1}
        if [ -z "$quote" ] && [[ $c == [[:space:]] ]]; then
            [ -z "$word" ] || words+=("$word")
            word=''
            continue
        fi
        word+=$c
        if [ "$c" = "$quote" ]; then
            quote=''
        elif [ -z "$quote" ] && [[ $c == [\"\'] ]]; then
            quote=$c
        fi
    done
    [ -z "$word" ] || words+=("$word")
}

# The base's options without those that the recipe says itself, and then the recipe's: the daemon exits where it is told
# something twice, as a flag and in daemon.json.
options_from() {
    local word name skips=no options=()
    split "$1"
    for word in "${words[@]}"; do
        if [ "$skips" = yes ] && [[ $word != -* ]]; then
            skips=no
            continue
        fi
        skips=no
        case $word in
            --*) name=${word#--} name=${name%%=*} ;;
            -?*) name=${word:1:1} ;;
            *) name='' ;;
        esac
        if [ -n "$name" ] && [ -n "${drop[$name]-}" ]; then
            # Its value may be a word of its own.
            [[ $word == *=* ]] || skips=yes
        else
            options+=("$word")
        fi
    done
    options+=("${flags[@]}")
    echo "${options[*]}"
}

merge_options() {
    local file=$1 name=$2 now base wanted
    [ -e "$file" ] || : > "$file"
    now=$(value_of "$file" "$name") base=$now
    # What was written here before is no word of the base's.
    if [ -f "$state/docker-options" ] && [ "$(sed -n 2p "$state/docker-options")" = "$now" ]; then
        base=$(sed -n 1p "$state/docker-options")
    fi
    wanted=$(options_from "$base")
    [ "$wanted" != "$now" ] || return 0
    replace "$state/docker-options" printf '%s\n%s\n' "$base" "$wanted"
    write "$file" "$name in $file is now: $wanted" with_value "$file" "$name" "$wanted"
}

# The command of a unit, over its drop-ins, which count by their names: the last one does. Ours is none of them.
command_of() {
    local folder file
    local -A found=()
    local files=()
    # A file of one name in a later folder is instead of the one in an earlier one.
    for folder in /lib /usr/lib /run /etc; do
        for file in "$folder/systemd/system/$2.d"/*.conf; do
            [ ! -f "$file" ] || found[${file##*/}]=$file
        done
    done
    unset "found[$ours]"
    while IFS= read -r file; do
        files+=("${found[$file]}")
    done < <([ ${#found[@]} = 0 ] || printf '%s\n' "${!found[@]}" | sort)
    awk '
        { line = more $0; more = "" }
        line ~ /\\$/ { more = substr(line, 1, length(line) - 1) " "; next }
        sub(/^[[:space:]]*ExecStart[[:space:]]*=[[:space:]]*/, "", line) { command = line }
        END { print command }
    ' "$1" "${files[@]}"
}

daemon() {
    local unit='' path verb rest command
    # The name comes after those that people and `systemctl edit` give to theirs.
    local ours=zz-elkbake-flags.conf
    declare -A drop=()
    flags=()
    [ -f $own/docker-flags ] || [ -f $state/docker-options ] || return 0
    if [ -f $own/docker-flags ]; then
        while read -r verb rest; do
            case $verb in
                drop) drop[$rest]=1 ;;
                flag) flags+=("$rest") ;;
            esac
        done < $own/docker-flags
    fi
    for path in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        if [ -f $path/docker.service ]; then
            unit=$path/docker.service
            break
        fi
    done
    if [ -z "$unit" ]; then
        echo "elkbake: there is no docker.service yet"
    elif [ -f /etc/sysconfig/docker ]; then
        merge_options /etc/sysconfig/docker OPTIONS
    elif command=$(command_of "$unit" docker.service) && [[ $command == *"\$DOCKER_OPTS"* ]]; then
        merge_options /etc/default/docker DOCKER_OPTS
    elif [ -n "$command" ]; then
        # The unit reads no file: it is told another command, where a percent sign means something to systemd. The socket
        # that it hands over stays, whatever else the daemon listens at.
        unset 'drop[H]' 'drop[host]'
        flags=("${flags[@]//%/%%}")
        mkdir -p /etc/systemd/system/docker.service.d
        write /etc/systemd/system/docker.service.d/$ours "docker.service has the recipe's flags" \
            printf '[Service]\nExecStart=\nExecStart=%s\n' "$(options_from "$command")"
    fi
    refresh docker.service /etc/docker/daemon.json /etc/sysconfig/docker /etc/default/docker \
        /etc/systemd/system/docker.service.d/*.conf
}

