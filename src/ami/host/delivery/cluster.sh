# cluster NAME: the one that this host joins. All else that the agent is told stays, and the file is not ours.
cluster() {
    lay file /etc/ecs/ecs.config 644 "$(id -u):$(id -g)" joining "$1"
    unset 'ours[/etc/ecs/ecs.config]'
}

joining() {
    local config=$root/etc/ecs/ecs.config
    if grep -qs '^ECS_CLUSTER=' "$config"; then
        sed "s/^ECS_CLUSTER=.*/ECS_CLUSTER=$1/" "$config"
    else
        cat "$config" 2> /dev/null
        echo "ECS_CLUSTER=$1"
    fi
}
