// While a new password is written: shows it if that is wanted, makes one up, and says which rules it keeps. What counts is what the server
// says when it is sent.
"use strict";
const form = document.getElementById("change");
const fields = ["new_password", "repeated"].map((id) => document.getElementById(id));
const rules = [...document.querySelectorAll("#rules li")];
const told = document.getElementById("told");
const strength = document.getElementById("strength");
let asked = 0;
let pause;

const show = document.getElementById("show");
show.closest("label").hidden = false;
show.addEventListener("change", () => {
  for (const field of fields) field.type = show.checked ? "text" : "password";
});
// Password managers and browsers keep what was in a password field.
form.addEventListener("submit", () => {
  for (const field of fields) field.type = "password";
  // What is under way has another token afterwards.
  clearTimeout(pause);
  asked += 1;
  // Sent twice, it would be two changes.
  setTimeout(() => (form.querySelector("button[type=submit]").disabled = true));
});
// A page that a browser brings back as it was left.
window.addEventListener("pageshow", () => (form.querySelector("button[type=submit]").disabled = false));

const suggest = document.getElementById("suggest");
const suggested = document.getElementById("suggested");
suggest.hidden = form.dataset.suggest === undefined;
suggest.addEventListener("click", async () => {
  try {
    const answer = await fetch(form.dataset.suggest, { method: "POST", body: sent(), cache: "no-store", redirect: "manual" });
    // Signed out, or asked to show who it is: the page itself leads there.
    if (answer.type === "opaqueredirect") return location.reload();
    if (!answer.ok) return;
    const { password, told: said } = await answer.json();
    suggested.textContent = said;
    if (password === null) return;
    // It is to be seen and kept: nobody has thought of it.
    for (const field of fields) [field.value, field.type] = [password, "text"];
    show.checked = true;
    check();
  } catch {
    // Not this time; people make up their own.
  }
});

fields[0].addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(check, 300);
});

/** What goes with every question: that it comes from this form, and about which account it is. */
function sent() {
  const chosen = form.querySelector("input[name=account]:checked");
  const body = new URLSearchParams({ form_token: form.elements.form_token.value });
  if (chosen) body.set("account", chosen.value);
  return body;
}

async function check() {
  // Where nobody is signed in, what is written is looked at when it is sent.
  if (form.dataset.check === undefined) return;
  const question = ++asked;
  if (fields[0].value === "") {
    for (const rule of rules) rule.className = "";
    told.textContent = "";
    strength.hidden = true;
    return;
  }
  const body = sent();
  body.set("new_password", fields[0].value);
  try {
    const answer = await fetch(form.dataset.check, { method: "POST", body, cache: "no-store", redirect: "error" });
    if (!answer.ok || question !== asked) return;
    const { kept, told: said, strength: hard } = await answer.json();
    rules.forEach((rule, place) => (rule.className = kept[place] === null ? "" : kept[place] ? "kept" : "broken"));
    told.textContent = hard ? `${said} ${hard[1]}` : said;
    strength.hidden = hard === null;
    if (hard) [strength.dataset.level, document.getElementById("strength_text").textContent] = hard;
  } catch {
    // Not told this time; nothing depends on it.
  }
}
