#!/usr/bin/env bash
# Asks Postern everything an application asks it, and shows the answers. It wants
# `postern serve --demo` and, for the change, the operator key that the demo prints:
#
#   POSTERN_TOKEN=ok_... ./walk.sh
set -euo pipefail

decisions=${POSTERN_URL:-http://127.0.0.1:8181}
administration=${POSTERN_SERVER:-http://127.0.0.1:8182}
key=${POSTERN_KEY:-} # an app key, where Postern wants one
rosa=usr_01920000-0000-7000-8000-000000000007
paula=usr_01920000-0000-7000-8000-000000000005

main() {
  echo "# Rosa may see her service."
  ask evaluation "$(question rosa service.view service a-1001)"

  echo "# Sam of Support may not order, and is told why."
  ask evaluation "$(question sam order.create service a-1001)"

  echo "# Three questions about Rosa at once, answered in their order."
  ask evaluations '{"subject": {"type": "login", "id": "rosa"}, "action": {"name": "service.view"}, "evaluations": [
    {"resource": {"type": "service", "id": "a-1001"}},
    {"resource": {"type": "service", "id": "a-1002"}},
    {"resource": {"type": "service", "id": "a-7001"}}]}'

  echo "# Paula takes a-1002 from Rosa. The answer has a consistency token."
  local token
  token=$(take_account "$paula" mem_01920000-0000-7000-8000-000000000007 a-1002)
  echo "Postern-Consistency-Token: ${token:0:6}..."
  echo

  echo "# A decision that is sent the token sees the change, whichever server makes it."
  ask evaluation '{"subject": {"type": "user", "id": "'$rosa'"}, "action": {"name": "service.view"}, "resource": {"type": "service", "id": "a-1002"}}' \
    -H "Postern-Consistency-Token: $token"

  echo "# A question that is not one is an error and no denial. Treat it as one all the same."
  ask evaluation '{"subject": {"type": "login", "id": "rosa"}}'

  echo "# So is a token that is not one."
  ask evaluation "$(question rosa service.view service a-1001)" -H 'Postern-Consistency-Token: nonsense'

  echo "# And a server that is not there: curl prints 000 where there is no answer."
  decisions=http://127.0.0.1:1
  ask evaluation "$(question rosa service.view service a-1001)"
}

# question LOGIN ACTION TYPE ID is a question as JSON.
question() {
  printf '{"subject": {"type": "login", "id": "%s"}, "action": {"name": "%s"}, "resource": {"type": "%s", "id": "%s"}}' "$@"
}

# ask PATH BODY [CURL-FLAG...] shows the status and the body of an answer.
ask() {
  local path=$1 body=$2
  shift 2
  curl -s --max-time 5 -w '\n%{http_code}\n\n' "$decisions/access/v1/$path" \
    -H 'Content-Type: application/json' ${key:+-H "Authorization: Bearer $key"} -d "$body" "$@" || true
}

# take_account ACTOR MEMBER ACCOUNT prints the consistency token of the change.
take_account() {
  curl -sf --max-time 5 -X PATCH "$administration/v1/organizations/acme/members/$2/grants" \
    -H "Authorization: Bearer ${POSTERN_TOKEN:?is not set: it is the operator key that serve --demo prints}" \
    -H "Postern-Actor: $1" -H 'Content-Type: application/json' \
    -d '{"remove": {"accounts": [{"id": "'"$3"'"}]}}' -D - -o /dev/null |
    tr -d '\r' | sed -n 's/^Postern-Consistency-Token: //Ip'
}

main
