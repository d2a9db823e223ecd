// Somebody who has read nothing opens the link that the demo prints, and changes a password: in how many clicks?
import assert from "node:assert/strict";
import { OWN, heading, look, open } from "./browser.mjs";

const MOST_CLICKS = 4;

/** From the link to a changed password. */
export async function findTheWay(browser, visit, link) {
  const page = await open(browser, visit, new URL(link).origin);
  await page.goto(link);
  assert.ok(!page.url().includes("#"), "the code is taken out of the address");
  await look(page, visit, "a link that signs in");
  let clicks = 0;
  const click = async (what) => {
    clicks += 1;
    await Promise.all([page.waitForNavigation(), what.click()]);
  };
  await click(page.locator("main button[type=submit]"));
  await look(page, visit, "the demo's passwords");
  await click(page.locator(".cards .button").first());
  await page.fill("#new_password", OWN);
  await page.fill("#repeated", OWN);
  await click(page.locator("main button[type=submit]"));
  await heading(page, visit.texts.done);
  assert.ok(clicks <= MOST_CLICKS, `it took ${clicks} clicks`);
  // The link worked once.
  const again = await open(browser, visit, new URL(link).origin);
  await again.goto(link);
  await Promise.all([again.waitForNavigation(), again.locator("main button[type=submit]").click()]);
  assert.equal(await again.locator("[role=alert]").count(), 1, "a link works once");
  await look(again, visit, "a link that was used");
  await page.context().close();
  await again.context().close();
  return clicks;
}
