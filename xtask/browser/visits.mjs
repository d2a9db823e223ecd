// The way from the front page to a changed password and out again.
import assert from "node:assert/strict";
import { OWN, PATIENCE_MILLISECONDS, base, changeElsewhere, fill, heading, look, open, openChange, press, sendPassword, setting } from "./browser.mjs";

/** Goes all the way. Gives the new password. */
export async function goThrough(browser, visit, person, group, number) {
  const { javaScriptEnabled, texts } = visit;
  const page = await open(browser, visit);
  await page.goto(base);
  await look(page, visit, "signing in");
  await fill(page, visit, "#user_name", person);
  await fill(page, visit, "#password", "wrong");
  await press(page, visit, "button[type=submit]");
  assert.equal(await page.locator("[role=alert]").count(), 1, "a wrong password is told");
  await look(page, visit, "a refused sign-in");
  await fill(page, visit, "#password", OWN);
  await press(page, visit, "button[type=submit]");
  await look(page, visit, "the passwords");

  await openChange(page, visit, group);
  await look(page, visit, "the form");
  if (javaScriptEnabled && !visit.keyboard) {
    await page.click("#suggest");
    await page.waitForFunction(() => document.getElementById("repeated").value.length > 8, undefined, { timeout: PATIENCE_MILLISECONDS });
    assert.equal(await page.inputValue("#new_password"), await page.inputValue("#repeated"));
    await page.waitForFunction(() => document.querySelectorAll("#rules li.kept").length > 0, undefined, { timeout: PATIENCE_MILLISECONDS });
    await look(page, visit, "a password that was made up");
  }
  await fill(page, visit, "#new_password", "short");
  if (javaScriptEnabled) {
    await page.waitForSelector("#rules li.broken", { timeout: PATIENCE_MILLISECONDS });
    assert.notEqual(await page.textContent("#told"), "", "the rules are told to those who do not see them");
    await look(page, visit, "the form while a password is written");
  }
  await fill(page, visit, "#repeated", "short");
  await press(page, visit, "main button[type=submit]");
  assert.equal(await page.locator("#rules li.broken").count(), 1, "the broken rule is marked");
  await look(page, visit, "the refused form");

  const password = `${OWN}-${number}`;
  await sendPassword(page, visit, password);
  await heading(page, texts.done);
  await look(page, visit, "the finished change");
  await press(page, visit, 'main a[href="/passwords"]');
  await look(page, visit, "the passwords afterwards");
  changeElsewhere(setting("LOCKSTEP_TEST_ELSEWHERE"));
  await page.reload();
  assert.equal(await page.locator(".apart").count(), 1, "what was changed elsewhere is told");
  await look(page, visit, "a password that was changed elsewhere");
  await press(page, visit, 'main a[href="/passwords/changes"]');
  await look(page, visit, "the latest changes");
  await press(page, visit, "header button");
  assert.equal(await page.textContent("h1"), texts.left);
  await look(page, visit, "leaving");
  await page.goto(`${base}/passwords`);
  assert.ok(page.url().includes("/sign-in"), "who has left is signed out");
  await page.context().close();
  return password;
}
