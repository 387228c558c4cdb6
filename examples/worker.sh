#!/bin/sh
# A worker in shell and curl: claims one task of type external, works on it and sends the result.
#
#     WORKER_TOKEN=secret sh examples/worker.sh http://localhost:8011
#
# It sends no heartbeat, so the work must take less than the lease (WORKER_LEASE_MS, a minute).
set -eu
url=${1:-http://localhost:8011}

post() { # post <path> <body>
  # By a file of its own and not as an argument: whoever lists the processes must not see the token.
  printf 'header = "Authorization: Bearer %s"\n' "$WORKER_TOKEN" |
    curl -sS --fail-with-body --max-time 60 -K - -H 'Content-Type: application/json' -d "$2" "$url$1"
}
field() { # field <name>: of the task that was claimed; ids and tokens hold no quotes
  printf '%s' "$task" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

task=$(post /tasks/claim '{"types":["external"],"worker":"shell"}')
if [ -z "$task" ]; then
  echo "no task"
  exit 0
fi
id=$(field id)
lease=$(field lease_token)

# Your work goes here.
if host=$(uname -n); then
  post "/tasks/$id/complete" "{\"lease_token\":\"$lease\",\"result\":{\"done_on\":\"$host\"}}"
else
  post "/tasks/$id/fail" "{\"lease_token\":\"$lease\",\"error\":\"uname failed\"}"
fi
echo
