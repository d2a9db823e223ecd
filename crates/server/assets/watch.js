// Brings the page of a change up to date while it goes on. Where there is no script, the page reloads itself.
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

async function look() {
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", redirect: "manual" });
    if (!answer.ok) {
      // Signed out meanwhile, most likely: the page itself says so.
      if (answer.type === "opaqueredirect") location.reload();
    } else {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = page.title;
      takeOver(page.getElementById("watched"));
    }
  } catch {
    // The server is away for a moment; the change goes on.
  }
  if (watched.dataset.state === "running") setTimeout(look, 1000);
}
if (watched.dataset.state === "running") setTimeout(look, 1000);
