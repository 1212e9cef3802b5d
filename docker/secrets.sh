#!/bin/sh
# Creates the secrets that docker-compose.yml names; existing ones stay as they are.
# Usage: docker/secrets.sh [FOLDER]   (default: secrets, beside docker-compose.yml)
set -eu
folder=${1:-$(dirname "$0")/../secrets}
# Only the owner may enter the folder; each file is mounted on its own and read by the container's
# user.
mkdir -p "$folder"
chmod 0700 "$folder"
cd "$folder"

fresh() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # NAME: the standard input becomes the file NAME
    cat >".$1" && chmod 0444 ".$1" && mv ".$1" "$1"
}

[ -e master_secret ] || head -c 32 /dev/urandom | keep master_secret
[ -e postgres_password ] || fresh | keep postgres_password
[ -e aws_secret_access_key ] || fresh | keep aws_secret_access_key
[ -e grafana_password ] || fresh | keep grafana_password
[ -e valkey_conf ] || echo "requirepass $(fresh)" | keep valkey_conf

# Derived from the secrets above.
echo "postgresql+psycopg://photoward:$(cat postgres_password)@postgres:5432/photoward" |
    keep photoward_database_url
echo "redis://:$(sed -n 's/^requirepass //p' valkey_conf)@valkey:6379/0" | keep photoward_redis_url
keep seaweedfs_s3 <<EOF
{"identities": [{"name": "photoward", "actions": ["Admin"], "credentials":
  [{"accessKey": "photoward", "secretKey": "$(cat aws_secret_access_key)"}]}]}
EOF
