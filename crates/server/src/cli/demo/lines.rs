//! What the demo prints for people: the facts, and lines to copy into a POSIX shell with curl and OpenSSL.

use super::Facts;

/// Stands before and after the lines to copy.
const RULE: &str = "------------------------------------------------------------------------------";

/// Everything that is printed once the server answers.
pub(super) fn lines(facts: &Facts) -> String {
    let Facts {
        base_url,
        sign_in_link,
        enrolment_link,
        client_id,
        client_secret,
        pat_id,
        pat_secret,
        user_name,
        identity_id,
        ..
    } = facts;
    let sources: String = facts
        .sources
        .iter()
        .map(|source| {
            let group =
                source.group.map_or("a password of its own".to_owned(), |group| format!("in the group {group}"));
            format!("  {:<10} {}  {group}; {}\n", source.name, source.id, source.database.display())
        })
        .collect();
    let note = facts.current_password_note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let grouped: Vec<_> =
        facts.sources.iter().filter(|source| source.group.is_some()).map(|source| source.name).collect();
    let first = grouped.first().copied().unwrap_or_default();
    format!(
        r#"Lockstep is running at {base_url}

To change a password as {user_name} does, open this link (it signs in once):
  {sign_in_link}
To sign in later too, set a password for these pages (once):
  {enrolment_link}

  API client               {client_id}
    secret                 {client_secret}
  Personal access token    {pat_id}
    secret                 {pat_secret}
  {user_name:<24} {identity_id}
    first password         {password}{note}

Applications
{sources}
To change {user_name}'s password in {together}, copy these lines into another terminal
(they need curl and openssl; the first three are what the SDKs need too):
{RULE}
{script}{RULE}

Or, with the variables of the first three lines:
  lockstep change-password --user {user_name} --source {first}

Everything is kept in {data}; delete that to start anew. Ctrl-C stops the server."#,
        password = facts.current_password,
        together = grouped.join(" and "),
        script = script(facts, first),
        data = facts.data.display(),
    )
}

/// The four operations, as the published programs do them. Steps are told by `echo`, since a shell at a prompt need not
/// know comments; answers are taken apart by `sed`.
fn script(facts: &Facts, source: &str) -> String {
    let Facts { base_url, client_id, client_secret, user_name, .. } = facts;
    format!(
        r#"export SAIL_BASE_URL='{base_url}'
export SAIL_CLIENT_ID='{client_id}'
export SAIL_CLIENT_SECRET='{client_secret}'

cd "$(mktemp -d)"
field() {{ sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/'; }}
TOKEN=$(curl -sS "$SAIL_BASE_URL/oauth/token" -d grant_type=client_credentials \
  -d "client_id=$SAIL_CLIENT_ID" -d "client_secret=$SAIL_CLIENT_SECRET" | field access_token)

echo 'What to encrypt with:'
INFO=$(curl -sS "$SAIL_BASE_URL/v2024/query-password-info" -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{{"userName":"{user_name}","sourceName":"{source}"}}')
printf '%s\n' "$INFO"
{{ echo '-----BEGIN PUBLIC KEY-----'
  printf '%s\n' "$INFO" | field publicKey | fold -w 64
  echo '-----END PUBLIC KEY-----'; }} > public_key.pem

echo 'The new password, encrypted and sent:'
ENCRYPTED=$(echo -n 'myPassword' | openssl pkeyutl -encrypt -inkey public_key.pem -pubin | base64 | tr -d '\n')
IDENTITY=$(printf '%s\n' "$INFO" | field identityId)
SOURCE=$(printf '%s\n' "$INFO" | field sourceId)
ACCOUNT=$(printf '%s\n' "$INFO" | field accountId)
KEY=$(printf '%s\n' "$INFO" | field publicKeyId)
CHANGE=$(curl -sS "$SAIL_BASE_URL/v2024/set-password" -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -d '{{"identityId":"'"$IDENTITY"'","sourceId":"'"$SOURCE"'",
  "accountId":"'"$ACCOUNT"'","publicKeyId":"'"$KEY"'","encryptedPassword":"'"$ENCRYPTED"'"}}')
printf '%s\n' "$CHANGE"

echo 'What becomes of it:'
REQUEST=$(printf '%s\n' "$CHANGE" | field requestId)
while :; do
  STATUS=$(curl -sS "$SAIL_BASE_URL/v2024/password-change-status/$REQUEST" -H "Authorization: Bearer $TOKEN")
  printf '%s\n' "$STATUS"
  case $STATUS in *IN_PROGRESS*) sleep 1 ;; *) break ;; esac
done

echo 'A code that a help desk can read to a caller:'
curl -sS "$SAIL_BASE_URL/v2024/generate-password-reset-token/digit" -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' -H 'X-SailPoint-Experimental: true' \
  -d '{{"userId":"{user_name}","length":8,"durationMinutes":5}}'; echo
"#
    )
}
