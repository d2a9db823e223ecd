// Lets a passkey show who somebody is, or a device make one, and sends what it says with the form. Where there is no script, people
// show it otherwise.
"use strict";
const button = document.getElementById("passkey");
const told = document.getElementById("passkey_told");

/** Base64url, as the server writes and reads bytes. */
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const written = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const known = (list) => list.map((one) => ({ ...one, id: bytes(one.id) }));

/** What the device says of a new passkey. */
async function make(asked) {
  const user = { ...asked.user, id: bytes(asked.user.id) };
  const publicKey = { ...asked, user, challenge: bytes(asked.challenge), excludeCredentials: known(asked.excludeCredentials) };
  const { rawId, response } = await navigator.credentials.create({ publicKey });
  return { rawId, response: { attestationObject: response.attestationObject, transports: response.getTransports?.() ?? [] }, signed: response };
}

/** What it says of who somebody is. */
async function show(asked) {
  const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: known(asked.allowCredentials) };
  const { rawId, response } = await navigator.credentials.get({ publicKey });
  const { authenticatorData, signature, userHandle } = response;
  return { rawId, response: { authenticatorData, signature, userHandle: userHandle ?? undefined }, signed: response };
}

/** As the specification writes it for servers. */
function sent({ rawId, response, signed }) {
  const plain = { clientDataJSON: signed.clientDataJSON, ...response };
  for (const [name, value] of Object.entries(plain)) if (value instanceof ArrayBuffer) plain[name] = written(value);
  return JSON.stringify({ id: written(rawId), rawId: written(rawId), type: "public-key", response: plain, clientExtensionResults: {} });
}

if (window.PublicKeyCredential) button.hidden = false;
else told.textContent = button.dataset.without ?? "";
button.addEventListener("click", async () => {
  const { ask, make: wanted } = button.dataset;
  const form = button.closest("form");
  told.textContent = "";
  button.disabled = true;
  try {
    const passkey = document.createElement("input");
    [passkey.type, passkey.name] = ["hidden", "passkey"];
    passkey.value = sent(await (ask === undefined ? make(JSON.parse(wanted)) : show(JSON.parse(ask))));
    form.append(passkey);
    // What else the form has is not asked for then.
    form.submit();
  } catch {
    // Whoever changed their mind, or has none here.
    told.textContent = button.dataset.failed;
    button.disabled = false;
    button.focus();
  }
});
// A page that a browser brings back as it was left: what was signed on it is used up.
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
