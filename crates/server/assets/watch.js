// Brings the page of a change up to date while it goes on, as often as the server sends it, or where that fails every second. Where
// there is no script, the page reloads itself.
"use strict";
const watched = document.getElementById("watched");

/** Puts in what differs only, so that a screen reader says what is new and nothing twice. */
function takeOver(fresh) {
  const [old, now] = [watched, fresh].map((place) => place.querySelectorAll("li"));
  const same = watched.dataset.state === fresh.dataset.state && old.length === now.length;
  if (!same) {
    watched.replaceChildren(...fresh.childNodes);
    watched.dataset.state = fresh.dataset.state;
    return;
  }
  old.forEach((line, place) => {
    if (line.outerHTML !== now[place].outerHTML) line.replaceWith(now[place]);
  });
}

function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  document.title = page.title;
  takeOver(page.getElementById("watched"));
}

const isRunning = () => watched.dataset.state === "running";

async function look() {
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", redirect: "manual" });
    if (answer.ok) show(await answer.text());
    // Signed out meanwhile, most likely: the page itself says so.
    else if (answer.type === "opaqueredirect") location.reload();
  } catch {
    // The server is away for a moment; the change goes on.
  }
  if (isRunning()) setTimeout(look, 1000);
}

function listen() {
  const events = new EventSource(`${location.pathname}/events`);
  // The first page comes at once; a proxy that keeps it back would keep all of them back.
  const silence = setTimeout(() => {
    events.close();
    look();
  }, 3000);
  events.addEventListener("message", ({ data }) => {
    clearTimeout(silence);
    show(data);
    if (!isRunning()) events.close();
  });
  events.addEventListener("error", () => {
    // A browser asks again by itself after an answer that ended, and not after one that was refused.
    if (events.readyState !== EventSource.CLOSED) return;
    clearTimeout(silence);
    look();
  });
}

if (isRunning()) listen();
