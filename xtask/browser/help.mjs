// A help desk finds somebody and reads a code to them; they set a new password with it.
import assert from "node:assert/strict";
import { OWN, base, fill, look, open, press, sendPassword, signIn } from "./browser.mjs";

/** From the telephone call to the new password, which is the old one again. */
export async function helpToPassword(browser, visit, helper, person) {
  const desk = await open(browser, visit);
  await signIn(desk, visit, helper, OWN, "/people");
  await look(desk, visit, "people");
  await fill(desk, visit, "#q", "nobody like this");
  await press(desk, visit, "main button");
  await look(desk, visit, "nobody found");
  await desk.goto(`${base}/people`);
  await fill(desk, visit, "#q", person);
  await press(desk, visit, "main button");
  await look(desk, visit, "somebody found");
  await press(desk, visit, '.lines a[href^="/people/"]');
  await look(desk, visit, "a person");
  const changes = await desk.locator('.lines a[href*="/changes/"]').count();
  assert.ok(changes > 0, "their changes are listed");
  await press(desk, visit, 'form[action$="/code"] button');
  await look(desk, visit, "a code");
  const digits = await desk.textContent(".digits code");
  assert.match(digits, /^\d{6}$/);
  await desk.context().close();

  const page = await open(browser, visit);
  await page.goto(`${base}/sign-in`);
  await press(page, visit, 'a[href="/passwordreset"]');
  await look(page, visit, "a forgotten password");
  await fill(page, visit, "#user_name", person);
  await fill(page, visit, "#code", digits === "000000" ? "111111" : "000000");
  await press(page, visit, "button[type=submit]");
  await look(page, visit, "a refused code");
  await fill(page, visit, "#code", digits);
  await press(page, visit, "button[type=submit]");
  await look(page, visit, "a new password");
  await sendPassword(page, visit, "short");
  await look(page, visit, "a refused new password");
  await sendPassword(page, visit, OWN);
  assert.equal(await page.textContent("h1"), visit.texts.set);
  await look(page, visit, "the new password is set");
  await press(page, visit, "main a.button");
  assert.ok(page.url().endsWith("/sign-in"), "nobody is signed in by it");
  await page.context().close();
}
