# Each task begins with indexes of its own; they end with the task. The one that everybody installs from is forgotten.
set -e
server=$(mktemp -d ./server.XXXXXX)
devpi-init --serverdir "$server" --no-root-pypi
exec devpi-server --serverdir "$server" --host 0.0.0.0 --port "$PORT" --offline-mode
