// A browser with eyes: how a page is opened, looked at, filled in and left, by mouse or by the keyboard alone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How long a page may take to become what is expected. */
export const PATIENCE_MILLISECONDS = 40_000;
/** What the WCAG ask for up to AA, and what axe-core holds to be good practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const setting = (name) => process.env[name] ?? assert.fail(`${name} is not set`);
export const base = setting("LOCKSTEP_TEST_BASE_URL");
const axe = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const screenshots = process.env.LOCKSTEP_TEST_SCREENSHOTS;

/** The password for the pages. */
export const OWN = "Quiet-Lantern-Over-Harbour-42";
/** How somebody looks. The texts are those that a person looks for. */
const ENGLISH = {
  change: "Change password",
  done: "Your password is changed",
  retrying: "is tried again",
  left: "You are signed out",
  security: "Your security",
  set: "Your password is set",
};
const GERMAN = {
  change: "Passwort ändern",
  done: "Ihr Passwort ist geändert",
  retrying: "noch einmal versucht",
  left: "Sie sind abgemeldet",
  security: "Ihre Sicherheit",
  set: "Ihr Passwort ist gesetzt",
};
export const DESK = { name: "desk", width: 1280, colorScheme: "light", locale: "en", javaScriptEnabled: true, texts: ENGLISH };
export const TELEPHONE = { name: "telephone, dark, German", width: 375, colorScheme: "dark", locale: "de", javaScriptEnabled: true, texts: GERMAN };
export const DARK = { ...DESK, name: "desk, dark", colorScheme: "dark" };
export const PLAIN = { ...DESK, name: "telephone, no script", width: 375, javaScriptEnabled: false };
export const KEYBOARD = { ...DESK, name: "keyboard", keyboard: true };

/** How many pages were looked at. */
export let looked = 0;

/** A window of a browser that has never been here, and that complains of everything that it is not meant to do. */
export async function open(browser, visit, origin = base) {
  const { width, colorScheme, locale, javaScriptEnabled } = visit;
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, locale, javaScriptEnabled });
  const page = await context.newPage();
  page.on("pageerror", (error) => assert.fail(`a script failed on ${page.url()}: ${error.message}`));
  // What the Content-Security-Policy forbids, the browser says here.
  page.on("console", (said) => assert.ok(said.type() !== "error" || /status of 4\d\d/.test(said.text()), said.text()));
  page.on("request", (request) => assert.ok(request.url().startsWith(origin), `${page.url()} asks ${request.url()}`));
  return page;
}

/** Looks at a page as it is: nothing wider than the window, nothing that axe-core finds, nothing from elsewhere. */
export async function look(page, visit, what) {
  looked += 1;
  if (screenshots) {
    const name = `${what} ${visit.width} ${visit.colorScheme}${visit.javaScriptEnabled ? "" : " plain"}`;
    await page.screenshot({ path: join(screenshots, `${name.replaceAll(/[^a-z0-9]+/gi, "-")}.png`), fullPage: true });
  }
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
  for (let step = 0; step < 60; step += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key does not lead to ${selector} on ${page.url()}`);
}

export async function fill(page, visit, selector, text) {
  if (!visit.keyboard) return page.fill(selector, text);
  await tabTo(page, selector);
  await page.keyboard.type(text);
}

/** Follows a link or sends a form, and waits for the page that comes. */
export async function press(page, visit, selector) {
  if (visit.keyboard) await tabTo(page, selector);
  const act = () => (visit.keyboard ? page.keyboard.press("Enter") : page.click(selector));
  await Promise.all([page.waitForNavigation({ timeout: PATIENCE_MILLISECONDS }), act()]);
}

/** Waits until the page is called that. */
export async function heading(page, text) {
  await page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor({ timeout: PATIENCE_MILLISECONDS });
}

/** Sets the first password by a link, as the browser of whoever got it does. */
export async function enrol(browser, link, isLookedAt) {
  const page = await open(browser, DESK);
  await page.goto(link);
  assert.ok(!page.url().includes("#"), "the code is taken out of the address");
  if (isLookedAt) await look(page, DESK, "setting a first password");
  await page.fill("#new_password", OWN);
  await page.fill("#repeated", OWN);
  await press(page, DESK, "button[type=submit]");
  if (isLookedAt) await look(page, DESK, "the first password");
  await page.context().close();
}

/** Signs in, on the way to a page. */
export async function signIn(page, visit, person, password, to = "/passwords") {
  await page.goto(`${base}${to}`);
  await fill(page, visit, "#user_name", person);
  await fill(page, visit, "#password", password);
  await press(page, visit, "button[type=submit]");
}

/** Opens the form with which the group's password is changed. */
export async function openChange(page, visit, group) {
  const card = page.locator(".cards li", { hasText: group });
  const change = await card.locator("a").getAttribute("href");
  await press(page, visit, `a[href="${change}"]`);
}

/** Writes a new password twice, and sends it. */
export async function sendPassword(page, visit, password) {
  await fill(page, visit, "#new_password", password);
  await fill(page, visit, "#repeated", password);
  await press(page, visit, "main button[type=submit]");
}

/** Writes into the server's database, waiting while the server itself does. */
function write(statement) {
  execFileSync("sqlite3", ["-cmd", ".timeout 10000", setting("LOCKSTEP_TEST_DATABASE"), statement]);
}

/** As if Lockstep had set every password two days ago, and the application's own page another one since. */
export function changeElsewhere(source) {
  const ago = (days) => `'${new Date(Date.now() - days * 86_400_000).toISOString().replace("Z", "+00:00")}'`;
  const statements = [
    `UPDATE password_set SET set_at = ${ago(2)}, written_at = ${ago(2)}`,
    `UPDATE account SET password_changed_at = ${ago(1)} WHERE source = (SELECT id FROM source WHERE name = '${source}')`,
  ];
  write(statements.join(";"));
}

/** As if nobody had shown for a day who they are. */
export function outdateProofs() {
  write("UPDATE session SET proved_at = '2000-01-01T00:00:00+00:00'");
}
