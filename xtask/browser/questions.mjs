// Security questions: a password that asks for more than the sign-in password is changed by somebody who has no second factor.
import assert from "node:assert/strict";
import { OWN, base, fill, heading, look, open, openChange, press, sendPassword, signIn } from "./browser.mjs";

/** Writes the answers, and sends them. */
async function answer(page, visit, answers) {
  for (const [place, text] of answers.entries()) await fill(page, visit, `#answer_${place + 1}`, text);
  await press(page, visit, "main button[type=submit]");
}

/** Answers some, is asked them on the way to the password, and takes them back. */
export async function answerQuestions(browser, visit, person, application, number) {
  const page = await open(browser, visit);
  await signIn(page, visit, person, OWN);
  await openChange(page, visit, application);
  await look(page, visit, "a password that asks for more");
  await press(page, visit, 'main a[href="/security"]');
  await look(page, visit, "security with questions");
  await press(page, visit, 'main a[href="/security/questions"]');
  await look(page, visit, "choosing security questions");
  await answer(page, visit, ["Larkspur Row", "larkspur  row"]);
  assert.equal(await page.locator("[role=alert]").count(), 1, "two answers that are the same are told");
  await look(page, visit, "refused answers");
  await answer(page, visit, ["Mrs. Quillfeather", "Larkspur Row"]);
  assert.ok(page.url().endsWith("/security"), `${page.url()} says that they are answered`);
  await look(page, visit, "security with answers");

  await press(page, visit, "header a.brand");
  await openChange(page, visit, application);
  assert.ok(page.url().includes("/prove/questions"), `${page.url()} asks them`);
  await look(page, visit, "security questions");
  await answer(page, visit, ["Mrs. Quillfeather", "Elm Row"]);
  assert.equal(await page.locator("[role=alert]").count(), 1, "a wrong answer is told");
  await look(page, visit, "a refused answer");
  await answer(page, visit, ["mrs. quillfeather", "larkspur row"]);
  await sendPassword(page, visit, `${OWN}-${number}`);
  await heading(page, visit.texts.done);

  await page.goto(`${base}/security`);
  await press(page, visit, 'form[action="/security/questions/remove"] button');
  assert.equal(await page.locator('form[action="/security/questions/remove"]').count(), 0, "they are gone");
  await page.context().close();
}
