// Passkeys, with the authenticator that Chromium has for tests: making one, coming in with it alone, after the password, and to show
// once more who one is.
import assert from "node:assert/strict";
import { OWN, PATIENCE_MILLISECONDS, base, fill, look, open, outdateProofs, press, signIn } from "./browser.mjs";

/** Plugs an authenticator in that holds passkeys, and that knows its person. */
async function plugIn(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  return {
    knowsItsPerson: (isUserVerified) => devtools.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    passkeys: async () => (await devtools.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
  };
}

/** Makes a passkey, uses it wherever it is asked for, and takes it away again. */
export async function usePasskey(browser, visit, person) {
  const page = await open(browser, visit);
  const authenticator = await plugIn(page);
  await signIn(page, visit, person, OWN, "/security");
  await press(page, visit, 'a[href="/security/passkey"]');
  await look(page, visit, "making a passkey");
  await press(page, visit, "#passkey");
  await look(page, visit, "recovery codes with a passkey");
  assert.equal(await page.locator(".codes code").count(), 10);
  const [made] = await authenticator.passkeys();
  assert.ok(made.isResidentCredential && made.rpId === new URL(base).hostname, "it is known without a user name, and here only");
  await press(page, visit, "main a.button");
  await look(page, visit, "security with a passkey");

  await press(page, visit, "header button");
  await page.goto(`${base}/sign-in`);
  await authenticator.knowsItsPerson(false);
  await page.locator("#passkey").click();
  await page.waitForFunction(() => document.getElementById("passkey_told").textContent !== "", undefined, { timeout: PATIENCE_MILLISECONDS });
  await look(page, visit, "a passkey that was not shown");
  await authenticator.knowsItsPerson(true);
  await press(page, visit, "#passkey");
  assert.ok(page.url().endsWith("/passwords"), `a passkey alone signs in, and not ${page.url()}`);

  outdateProofs();
  await page.goto(`${base}/security/passkey`);
  assert.ok(page.url().includes("/prove"), "who somebody is must be shown once more");
  await look(page, visit, "showing once more who one is with a passkey");
  await press(page, visit, "#passkey");
  assert.ok(page.url().endsWith("/security/passkey"), `${page.url()} is where they wanted to go`);

  await press(page, visit, "header button");
  await signIn(page, visit, person, OWN, "/security");
  await look(page, visit, "the passkey after the password");
  await press(page, visit, "#passkey");
  assert.ok(page.url().endsWith("/security"), `${page.url()} is where they wanted to go`);
  await press(page, visit, 'form[action="/security/passkey/remove"] button');
  assert.equal(await page.locator('form[action="/security/passkey/remove"]').count(), 0, "it is gone");
  await page.context().close();
}

/** Shows once more who one is with the password, on the way to what asks for it. */
export async function proveByPassword(browser, visit, person) {
  const page = await open(browser, visit);
  await signIn(page, visit, person, OWN, "/security");
  outdateProofs();
  await press(page, visit, 'form[action="/security/totp"] button');
  assert.ok(page.url().includes("/prove"), "who somebody is must be shown once more");
  await look(page, visit, "showing once more who one is");
  await fill(page, visit, "#current", "wrong");
  await press(page, visit, "main button[type=submit]");
  assert.equal(await page.locator("[role=alert]").count(), 1, "a wrong password is told");
  await look(page, visit, "a refused proof");
  await fill(page, visit, "#current", OWN);
  await press(page, visit, "main button[type=submit]");
  assert.ok(page.url().endsWith("/security"), `${page.url()} is where they wanted to go`);
  await page.context().close();
}
