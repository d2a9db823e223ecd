// A group's password is changed while one of its systems is away: the page says so, and turns to done by itself when it is back.
import assert from "node:assert/strict";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OWN, PATIENCE_MILLISECONDS, heading, look, open, openChange, sendPassword, setting, signIn } from "./browser.mjs";

const signals = setting("LOCKSTEP_TEST_SIGNALS");

/** Asks for something by a file that is there whole, and waits until it was done. */
async function ask(name, isDone) {
  writeFileSync(join(signals, `${name}.new`), "");
  renameSync(join(signals, `${name}.new`), join(signals, name));
  while (!isDone()) await new Promise((done) => setTimeout(done, 20));
}

/** Goes through an outage. Gives the new password. */
export async function changeInAnOutage(browser, visit, person, group, number) {
  const page = await open(browser, visit);
  await signIn(page, visit, person, OWN);
  await openChange(page, visit, group);
  await ask("end", () => existsSync(join(signals, "ended")) && !existsSync(join(signals, "end")));
  const password = `${OWN}-away-${number}`;
  await sendPassword(page, visit, password);
  await page.locator(".lines li.running", { hasText: visit.texts.retrying }).waitFor({ timeout: PATIENCE_MILLISECONDS });
  await page.locator(".lines li.done").waitFor({ timeout: PATIENCE_MILLISECONDS });
  assert.equal(await page.locator(".lines li").count(), 2, "a line a system");
  await look(page, visit, "a change with a system that is away");
  const asked = page.url();
  // Leaving loses nothing.
  await page.goto("about:blank").catch(() => {});
  await page.goto(asked);
  await ask("go-on", () => !existsSync(join(signals, "go-on")));
  await heading(page, visit.texts.done);
  assert.equal(await page.locator(".lines li.done").count(), 2);
  assert.equal(page.url(), asked, "by itself");
  await look(page, visit, "a change after the outage");
  await page.context().close();
  return password;
}
