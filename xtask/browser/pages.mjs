// People's pages in a real browser: signing in, changing a password, watching where it arrives, leaving. At a telephone's width and
// at a desk's, light and dark, in both languages, with and without JavaScript; once with the keyboard alone. Every page is
// looked at by axe-core.
//
// It reads LOCKSTEP_TEST_ variables, prints one line of JSON (the last password, and how many pages were looked at), and says in
// one sentence what went wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

/** How long a page may take to become what is expected. */
const PATIENCE_MILLISECONDS = 30_000;
/** What the WCAG ask for up to AA, and what axe-core holds to be good practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const setting = (name) => process.env[name] ?? assert.fail(`${name} is not set`);
const base = setting("LOCKSTEP_TEST_BASE_URL");
const link = setting("LOCKSTEP_TEST_LINK");
const person = setting("LOCKSTEP_TEST_USER");
const application = setting("LOCKSTEP_TEST_APPLICATION");
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

/** The password for the pages. */
const OWN = "Quiet-Lantern-Over-Harbour-42";
/** Who looks, and how. The texts are those that a person looks for. */
const ENGLISH = { change: "Change password", done: "Your password is changed", left: "You are signed out" };
const GERMAN = { change: "Passwort ändern", done: "Ihr Passwort ist geändert", left: "Sie sind abgemeldet" };
const VISITS = [
  { name: "desk", width: 1280, colorScheme: "light", locale: "en", javaScriptEnabled: true, texts: ENGLISH },
  { name: "telephone, dark, German", width: 375, colorScheme: "dark", locale: "de", javaScriptEnabled: true, texts: GERMAN },
  { name: "desk, dark", width: 1280, colorScheme: "dark", locale: "en", javaScriptEnabled: true, texts: ENGLISH },
  { name: "telephone, no script", width: 375, colorScheme: "light", locale: "en", javaScriptEnabled: false, texts: ENGLISH },
  { name: "keyboard", width: 1280, colorScheme: "light", locale: "en", javaScriptEnabled: true, texts: ENGLISH, keyboard: true },
];

let looked = 0;

/** Looks at a page as it is: nothing wider than the window, nothing that axe-core finds, nothing from elsewhere. */
async function look(page, visit, what) {
  looked += 1;
  if (!visit.javaScriptEnabled) return;
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${what} (${visit.name}) is ${overflow} pixels wider than the window`);
  await page.evaluate(axe);
  const found = await page.evaluate(async (values) => {
    const { violations, incomplete, passes } = await globalThis.axe.run(document, { runOnly: { type: "tag", values } });
    // A rule that fails itself is no rule that is kept.
    const failed = incomplete.filter(({ nodes }) => nodes.some(({ any }) => any.some(({ id }) => id === "error-occurred")));
    const told = [...violations, ...failed].map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    return passes.length > 0 ? told : ["nothing was looked at"];
  }, RULES);
  assert.deepEqual(found, [], `axe-core on ${what} (${visit.name})`);
}

/** Goes to what has this selector by the Tab key alone. */
async function tabTo(page, selector) {
  for (let step = 0; step < 40; step += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key does not lead to ${selector} on ${page.url()}`);
}

async function fill(page, visit, selector, text) {
  if (!visit.keyboard) return page.fill(selector, text);
  await tabTo(page, selector);
  await page.keyboard.type(text);
}

/** Follows a link or sends a form, and waits for the page that comes. */
async function press(page, visit, selector) {
  if (visit.keyboard) await tabTo(page, selector);
  const act = () => (visit.keyboard ? page.keyboard.press("Enter") : page.click(selector));
  await Promise.all([page.waitForNavigation({ timeout: PATIENCE_MILLISECONDS }), act()]);
}

async function heading(page, text) {
  await page.waitForFunction((wanted) => document.querySelector("h1")?.textContent === wanted, text, {
    timeout: PATIENCE_MILLISECONDS,
  });
}

/** One person's way from the front page to a changed password and out again. Gives the new password. */
async function goThrough(browser, visit, number) {
  const { width, colorScheme, locale, javaScriptEnabled, texts } = visit;
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, locale, javaScriptEnabled });
  const page = await context.newPage();
  page.on("pageerror", (error) => assert.fail(`a script failed on ${page.url()}: ${error.message}`));
  // What the Content-Security-Policy forbids, the browser says here.
  page.on("console", (said) => assert.ok(said.type() !== "error" || said.text().includes("status of 400"), said.text()));
  page.on("request", (request) => assert.ok(request.url().startsWith(base), `${page.url()} asks ${request.url()}`));

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

  const card = page.locator(".cards li", { hasText: application });
  const change = await card.locator("a").getAttribute("href");
  await press(page, visit, `a[href="${change}"]`);
  await look(page, visit, "the form");
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
  await fill(page, visit, "#new_password", password);
  await fill(page, visit, "#repeated", password);
  await press(page, visit, "main button[type=submit]");
  if (javaScriptEnabled) {
    await heading(page, texts.done);
  } else {
    await page.getByRole("heading", { name: texts.done }).waitFor({ timeout: PATIENCE_MILLISECONDS });
  }
  await look(page, visit, "the finished change");
  await press(page, visit, 'main a[href="/passwords"]');
  await look(page, visit, "the passwords afterwards");
  await press(page, visit, 'main a[href="/passwords/changes"]');
  await look(page, visit, "the latest changes");
  await press(page, visit, "header button");
  assert.equal(await page.textContent("h1"), texts.left);
  await look(page, visit, "leaving");
  await page.goto(`${base}/passwords`);
  assert.ok(page.url().includes("/sign-in"), "who has left is signed out");
  await context.close();
  return password;
}

/** Sets the first password by the link, as the browser of whoever got it does. */
async function enrol(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  assert.ok(!page.url().includes("#"), "the code is taken out of the address");
  await look(page, VISITS[0], "setting a first password");
  await page.fill("#new_password", OWN);
  await page.fill("#repeated", OWN);
  await press(page, VISITS[0], "button[type=submit]");
  await look(page, VISITS[0], "the first password");
  await context.close();
}

const browser = await chromium.launch({
  executablePath: setting("LOCKSTEP_TEST_CHROMIUM"),
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  await enrol(browser);
  let password;
  for (const [number, visit] of VISITS.entries()) {
    try {
      password = await goThrough(browser, visit, number);
    } catch (error) {
      throw new Error(`${visit.name}: ${error.message}`);
    }
  }
  console.log(JSON.stringify({ password, pages: looked }));
} catch (error) {
  console.error(`pages: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
