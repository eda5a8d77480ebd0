#!/bin/sh
# draw.sh [DIRECTORY] writes the secrets of deploy/compose.yaml that are not there
# yet, each for the user who reads it, in a directory per reader.
set -eu
umask 077
cd "${1:-/secrets}"
postern=65532 redis=999 postgres=999

# keep OWNER FILE writes its input for OWNER alone, unless FILE is there.
keep() {
  [ ! -e "$2" ] || { cat >/dev/null; return 0; }
  cat >"$2.new"
  chmod 0400 "$2.new"
  chown "$1:$1" "$2.new"
  mv "$2.new" "$2"
}

draw() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# Whoever comes back after a cut has the old secrets: they are copied from the
# directory that is written first.
draw | keep 0 management/.postgres
draw | keep 0 management/.redis
draw | keep 0 management/.secret
database=$(cat management/.postgres) cache=$(cat management/.redis)

keep $postgres postgres/password <management/.postgres
echo "postgres://postern:$database@postgres/postern?sslmode=disable" | keep $postern management/database
keep $postern management/secret <management/.secret
for reader in management sidecar; do
  keep $postern $reader/redis-password <management/.redis
done
# Redis gives Postern its own keys and channels, and nobody else more than a pulse.
keep $redis redis/users.acl <<ACL
user default on nopass resetkeys resetchannels -@all +ping
user postern on >$cache resetkeys ~postern:* resetchannels &postern:* +@all -@admin -@dangerous
ACL

# The token, and what they need of the secret, are put here later, by Postern.
chown $postern:$postern sidecar
chmod 0755 management redis postgres
