#!/bin/sh
# Runs a command and completes the task of $COMPLETION_URL with its exit code, once: sh run.sh npm test
set -u

"$@"
code=$?
if [ "$code" -eq 0 ]; then
  body='{"result":{"exit_code":0}}'
else
  body="{\"error\":\"the job ended with exit code $code\"}"
fi
# By a file of its own and not as an argument: whoever lists the processes must not see the URL, which is a secret.
# A retry after a lost answer is refused with 409, and the first has done it.
printf 'url = "%s"\n' "$COMPLETION_URL" |
  curl -sS --max-time 30 --retry 5 --retry-connrefused -K - -H 'Content-Type: application/json' -d "$body" || exit 1
echo
exit "$code"
