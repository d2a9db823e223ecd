// People's pages in a real browser: signing in, changing a password, watching where it arrives, a second factor, passkeys, security
// questions, a forgotten password, helping others. At a telephone's width and at a desk's, light and dark, in both languages, with and without
// JavaScript, by the keyboard alone. Every page is looked at by axe-core.
//
// It reads LOCKSTEP_TEST_ variables, prints one line of JSON (the last password, how many pages were looked at, in how many clicks a newcomer
// has changed a password), and says in
// one sentence what went wrong.
import { chromium } from "playwright-core";
import { DARK, DESK, KEYBOARD, PLAIN, TELEPHONE, enrol, looked, setting } from "./browser.mjs";
import { helpToPassword } from "./help.mjs";
import { findTheWay } from "./newcomer.mjs";
import { changeInAnOutage } from "./outage.mjs";
import { proveByPassword, usePasskey } from "./passkey.mjs";
import { answerQuestions } from "./questions.mjs";
import { useSecondFactor } from "./security.mjs";
import { goThrough } from "./visits.mjs";

const person = setting("LOCKSTEP_TEST_USER");
const helper = setting("LOCKSTEP_TEST_HELPER");
const group = setting("LOCKSTEP_TEST_GROUP");
const guarded = setting("LOCKSTEP_TEST_GUARDED");

const browser = await chromium.launch({
  executablePath: setting("LOCKSTEP_TEST_CHROMIUM"),
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** Does it in every one of these ways, and says which it was that went wrong. */
async function each(visits, what) {
  let result;
  for (const [number, visit] of visits.entries()) {
    try {
      result = await what(visit, number);
    } catch (error) {
      throw new Error(`${visit.name}: ${error.message}\n${error.stack?.split("\n").filter((line) => line.includes(".mjs")).join("\n")}`);
    }
  }
  return result;
}

try {
  await enrol(browser, setting("LOCKSTEP_TEST_LINK"), true);
  await enrol(browser, setting("LOCKSTEP_TEST_HELPER_LINK"), false);
  await each([DESK, TELEPHONE, DARK, PLAIN, KEYBOARD], (visit, number) => goThrough(browser, visit, person, group, number));
  await each([DESK, TELEPHONE, PLAIN, KEYBOARD], (visit) => useSecondFactor(browser, visit, helper));
  await each([DESK, TELEPHONE, PLAIN, KEYBOARD], (visit) => proveByPassword(browser, visit, helper));
  await each([DESK, TELEPHONE, KEYBOARD], (visit) => usePasskey(browser, visit, helper));
  await each([DESK, TELEPHONE, DARK, PLAIN, KEYBOARD], (visit, number) => answerQuestions(browser, visit, person, guarded, number));
  await each([DARK, TELEPHONE, PLAIN, KEYBOARD], (visit) => helpToPassword(browser, visit, helper, person));
  const clicks = await findTheWay(browser, DESK, setting("LOCKSTEP_TEST_DEMO_LINK"));
  const password = await each([DESK, TELEPHONE, PLAIN], (visit, number) => changeInAnOutage(browser, visit, person, group, number));
  console.log(JSON.stringify({ password, pages: looked, clicks }));
} catch (error) {
  console.error(`pages: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
