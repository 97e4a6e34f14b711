# Each task begins with an index of its own; it ends with the task.
set -e
server=$(mktemp -d ./server.XXXXXX)
devpi-init --serverdir "$server" --no-root-pypi
exec devpi-server --serverdir "$server" --host 0.0.0.0 --port "$PORT"
