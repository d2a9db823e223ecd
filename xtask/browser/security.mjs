// A second factor: what the page shows is read by zbar as a telephone would, and the codes are those of oathtool.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OWN, base, fill, look, open, outdateProofs, press, signIn } from "./browser.mjs";

const STEP_MILLISECONDS = 30_000;

/** What a telephone reads from the picture on the page. */
async function readPicture(page) {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-picture-"));
  try {
    const path = join(folder, "picture.png");
    await page.locator("svg.picture").screenshot({ path });
    const link = execFileSync("zbarimg", ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", path], { encoding: "utf8" });
    return new URL(link.trim());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A telephone that has read the picture. Each code is good once, and so are those of the step before and after now. */
class Telephone {
  #secret;
  #step = Math.floor(Date.now() / STEP_MILLISECONDS) - 1;

  constructor(secret) {
    this.#secret = secret;
  }

  async code() {
    while (this.#step > Math.floor(Date.now() / STEP_MILLISECONDS) + 1) await new Promise((done) => setTimeout(done, 200));
    const at = `@${(this.#step * STEP_MILLISECONDS) / 1000}`;
    this.#step += 1;
    return execFileSync("oathtool", ["--totp", "-b", "-N", at, "-"], { input: this.#secret, encoding: "utf8" }).trim();
  }
}

/** Sets a second factor up, signs in with it and with a recovery code, and takes it away again. */
export async function useSecondFactor(browser, visit, person) {
  const page = await open(browser, visit);
  await signIn(page, visit, person, OWN, "/security");
  assert.equal(await page.textContent("h1"), visit.texts.security);
  await look(page, visit, "security");
  await press(page, visit, 'form[action="/security/totp"] button');
  if (visit.javaScriptEnabled) await page.click("summary");
  await look(page, visit, "setting a second factor up");
  const link = await readPicture(page);
  assert.equal(link.protocol, "otpauth:");
  assert.ok(decodeURIComponent(link.pathname).endsWith(person), `${link.pathname} names ${person}`);
  const secret = link.searchParams.get("secret");
  assert.equal((await page.textContent(".key")).replaceAll(/\s/g, ""), secret, "the key to type is that of the picture");
  await fill(page, visit, "#second", "000000");
  await press(page, visit, "main form button");
  await look(page, visit, "a refused first code");
  const telephone = new Telephone(secret);
  await fill(page, visit, "#second", await telephone.code());
  await press(page, visit, "main form button");
  await look(page, visit, "recovery codes");
  const recovery = await page.locator(".codes code").allTextContents();
  assert.equal(recovery.length, 10);
  await press(page, visit, "main a.button");
  await look(page, visit, "security with a second factor");

  for (const code of [() => telephone.code(), () => recovery[0]]) {
    const other = await open(browser, visit);
    await signIn(other, visit, person, OWN);
    await look(other, visit, "the second factor");
    await fill(other, visit, "#second", "111111");
    await press(other, visit, "button[type=submit]");
    await look(other, visit, "a refused second factor");
    await fill(other, visit, "#second", await code());
    await press(other, visit, "button[type=submit]");
    assert.ok(other.url().endsWith("/passwords"), `${other.url()} is where they wanted to go`);
    await other.context().close();
  }
  outdateProofs();
  await page.goto(`${base}/security`);
  await press(page, visit, 'form[action="/security/recovery-codes"] button');
  assert.ok(page.url().includes("/prove"), "who somebody is must be shown once more");
  await look(page, visit, "showing once more who one is with a code");
  await fill(page, visit, "#second", await telephone.code());
  await press(page, visit, "main button[type=submit]");
  await press(page, visit, 'form[action="/security/totp/remove"] button');
  assert.equal(await page.locator('form[action="/security/totp"]').count(), 1, "it is gone");
  await page.context().close();
}
