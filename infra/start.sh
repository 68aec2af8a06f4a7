#!/bin/sh
# Usage: start.sh prefect|mlflow|worker|check PART. One part of a team's kindex, in the foreground; docs/team.md explains.
#
# The settings are var/team.env's, or those of the file that KINDEX_TEAM_ENV names. KINDEX_TEAM_ENV= (empty) means that the
# environment holds them all, as in a container. Each part gets the passwords that it needs and no other.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
file=${KINDEX_TEAM_ENV-$root/var/team.env}

refuse() {
    echo "start.sh: $1" >&2
    exit 2
}

is_loopback() {
    case $1 in 127.0.0.1 | localhost | ::1) return 0 ;; *) return 1 ;; esac
}

need() { # names of variables that must not be empty
    for name in "$@"; do
        eval "value=\${$name-}"
        [ -n "$value" ] || refuse "$name is empty: set it in ${file:-the environment}"
    done
}

if [ -n "$file" ]; then
    case $file in */*) ;; *) file=./$file ;; esac # a bare name would be looked for on PATH
    [ -f "$file" ] || refuse "no $file: copy infra/team.env.example there and fill in its passwords"
    [ -z "$(find "$file" -perm /077)" ] || refuse "$file holds passwords and others can read it: chmod 600 $file"
    set -a
    . "$file"
    set +a
    PATH=$root/.venv/bin:$PATH # in a container the image's Python is meant, whatever the mounted project has
    export PREFECT_HOME="${PREFECT_HOME:-$root/var/prefect}"
fi
[ -n "${AWS_ENDPOINT_URL-}" ] || unset AWS_ENDPOINT_URL
export DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false MLFLOW_DISABLE_TELEMETRY=true
unset POSTGRES_PASSWORD PREFECT_DATABASE_PASSWORD MLFLOW_DATABASE_PASSWORD

case ${1-} in
prefect)
    need PREFECT_SERVER_DATABASE_CONNECTION_URL PREFECT_SERVER_API_AUTH_STRING
    case $PREFECT_SERVER_API_AUTH_STRING in
    ?*:????????????*) ;;
    *) refuse "PREFECT_SERVER_API_AUTH_STRING must be USER:PASSWORD, the password 12 characters or more" ;;
    esac
    unset PREFECT_API_URL MLFLOW_BACKEND_STORE_URI AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY KINDEX_ALERT_URLS
    export PREFECT_API_AUTH_STRING="$PREFECT_SERVER_API_AUTH_STRING"
    exec python -m prefect server start --host "${KINDEX_PREFECT_HOST:-127.0.0.1}" --port "${KINDEX_PREFECT_PORT:-4200}"
    ;;
mlflow)
    need MLFLOW_BACKEND_STORE_URI MLFLOW_ARTIFACTS_DESTINATION
    host=${KINDEX_MLFLOW_HOST:-127.0.0.1}
    is_loopback "$host" || is_loopback "${KINDEX_PUBLISHED_ON-}" || refuse "KINDEX_MLFLOW_HOST is $host, allowed: 127.0.0.1.
MLflow asks for no password. Reach it by ssh -L 5000:127.0.0.1:5000, or put a proxy that asks for one before it"
    unset MLFLOW_TRACKING_URI PREFECT_SERVER_DATABASE_CONNECTION_URL PREFECT_SERVER_API_AUTH_STRING PREFECT_API_AUTH_STRING \
        KINDEX_ALERT_URLS
    export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # nine processes become three
    exec python -m mlflow server --host "$host" --port "${KINDEX_MLFLOW_PORT:-5000}" --workers 2
    ;;
worker)
    need PREFECT_API_URL MLFLOW_TRACKING_URI
    unset PREFECT_SERVER_DATABASE_CONNECTION_URL PREFECT_SERVER_API_AUTH_STRING MLFLOW_BACKEND_STORE_URI
    export KINDEX_ROOT="${KINDEX_ROOT:-$root}"
    cd "$KINDEX_ROOT"
    exec python -m tasks.schedule
    ;;
check)
    exec python "$root/infra/healthy.py" "${2-}"
    ;;
*)
    refuse "${1-nothing} is no part, allowed: prefect, mlflow, worker, check prefect|mlflow|worker"
    ;;
esac
