#!/bin/sh
# A worker in shell and curl: claims one task of type external, works on it and sends the result.
#
#     WORKER_TOKEN=secret sh examples/worker.sh http://localhost:8011
#
# It sends no heartbeat, so the work must take less than the lease (WORKER_LEASE_MS, a minute). It reads JSON with sed; with jq at hand use that.
set -eu
url=${1:-http://localhost:8011}

post() { # post <path> <body>
  # The token goes by a file, not as an argument: a list of processes must not show it.
  printf 'header = "Authorization: Bearer %s"\n' "$WORKER_TOKEN" |
    curl -sS --fail-with-body --max-time 60 -K - -H 'Content-Type: application/json' -d "$2" "$url$1"
}

# Your work goes here. It counts words: reads the task, prints the result as JSON.
work() {
  text=$(sed -n 's/.*"input":{"text":"\([^"]*\)"}.*/\1/p')
  [ -n "$text" ] || return 1
  printf '{"words":%d}' "$(printf '%s' "$text" | wc -w)"
}

task=$(post /tasks/claim '{"types":["external"],"worker":"shell"}')
if [ -z "$task" ]; then
  echo "no task"
  exit 0
fi
# The id comes before the input and the lease after it. The input may hold any text.
id=$(printf '%s' "$task" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p')
lease=$(printf '%s' "$task" | sed -n 's/.*"lease_token":"\([^"]*\)".*/\1/p')

if result=$(printf '%s' "$task" | work); then
  post "/tasks/$id/complete" "{\"lease_token\":\"$lease\",\"result\":$result}"
else
  post "/tasks/$id/fail" "{\"lease_token\":\"$lease\",\"error\":\"this worker wants {\\\"text\\\": \\\"…\\\"} for an input\"}"
fi
echo
