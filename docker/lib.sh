# What the scripts of this folder share: where things are, what compose is called with, and how to refuse.
# shellcheck shell=bash

set -euo pipefail
docker_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$docker_folder"
# What is set in .env counts for the scripts as it does for compose; what is set outside comes first.
if [[ -f .env ]]; then
    while IFS='=' read -r name value; do
        [[ $name =~ ^(FRAUD|COMPOSE)_[A-Z_]+$ && -z ${!name+set} ]] || continue
        value=${value%\"} value=${value#\"}
        export "$name=$value"
    done <.env
fi
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-fraud-assets}
export FRAUD_IMAGE=${FRAUD_IMAGE:-fraud-assets:latest} FRAUD_PORT=${FRAUD_PORT:-8080} FRAUD_BIND=${FRAUD_BIND:-127.0.0.1}
# Files are named relative to this folder, wherever a script is called from.
for name in FRAUD_PGPASS FRAUD_DATABASE_CA FRAUD_TLS_CERTIFICATE FRAUD_TLS_KEY FRAUD_USERS FRAUD_WEBHOOK; do
    [[ -z ${!name:-} ]] || export "$name=$(realpath -m "${!name}")"
done
scheme=http
[[ -z ${FRAUD_TLS_CERTIFICATE:-} ]] || scheme=https
export FRAUD_PUBLIC_URL=${FRAUD_PUBLIC_URL:-$scheme://localhost:$FRAUD_PORT}

files=(-f compose.yaml)
[[ -z ${FRAUD_DATABASE_URL:-} ]] || files+=(-f compose.postgres.yaml)
[[ ${FRAUD_OUTSIDE:-0} != 1 ]] || files+=(-f compose.outside.yaml)
IFS=: read -ra more <<<"${FRAUD_COMPOSE_FILES:-}"
for file in "${more[@]}"; do files+=(-f "$file"); done

refuse() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

compose() {
    docker compose "${files[@]}" "$@"
}

# A secret's script, in its container; what compose has to say of that container is for nobody.
secrets() {
    compose --progress quiet run --rm --no-deps -T secrets "$@"
}

is_bundled() {
    [[ -z ${FRAUD_DATABASE_URL:-} ]]
}

# The superuser's psql, in the container of the bundled database.
superuser() {
    compose exec -T postgres "$@" -U postgres
}

has_docker() {
    docker compose version >/dev/null 2>&1 ||
        refuse "Docker with its plugin compose is needed, and was not found; install Docker Engine 20.10 or later."
    docker info >/dev/null 2>&1 ||
        refuse "The Docker engine does not answer; start it, and see that you may use it (docker info says why)."
}

one_at_a_time() {
    exec 9>"${TMPDIR:-/tmp}/$COMPOSE_PROJECT_NAME-$UID.lock"
    flock -n 9 || refuse "Another script of docker/ is under way for $COMPOSE_PROJECT_NAME; wait until it has ended."
}
