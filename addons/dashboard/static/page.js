// Keeps a view as it is now, and changes without loading the page anew. Everything works without it.
"use strict";

const AGAIN = 2000;
const AWAY = "The proxy does not answer. What you see is as it was. This page goes on when it is back here; "
  + "codex-rotate open finds one that runs elsewhere.";
let source = null;
let timer = 0;
let every = 0;

const read = (html) => new DOMParser().parseFromString(html, "text/html");

const busy = (node) =>
  node.contains(document.activeElement) || node.querySelector("details.dropdown[open]") !== null;

// Puts new rows in the place of old ones; those that did not change, or that somebody is using, stay as they are.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const keyed = (node) => [...node.children].every((each) => each.dataset.key) && node.children.length > 0;
  if (keyed(old) && keyed(fresh)) return rows(old, fresh);
  const alike = old.children.length === fresh.children.length && old.children.length > 0
    && [...old.children].every((each, at) => each.tagName === fresh.children[at].tagName
      && each.id === fresh.children[at].id && each.className === fresh.children[at].className);
  if (alike && old.childElementCount === old.childNodes.length && fresh.childElementCount === fresh.childNodes.length) {
    [...fresh.children].forEach((each, at) => morph(old.children[at], each));
    attributes(old, fresh);
  } else if (!busy(old) || old.id === "live" || old.id === "notice") {
    old.replaceChildren(...fresh.childNodes);
    attributes(old, fresh);
  }
}

function attributes(old, fresh) {
  if (old.tagName === "DETAILS") return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function rows(old, fresh) {
  const known = new Map([...old.children].map((each) => [each.dataset.key, each]));
  let at = old.firstElementChild;
  for (const row of [...fresh.children]) {
    let mine = known.get(row.dataset.key);
    known.delete(row.dataset.key);
    if (mine === undefined) mine = row;
    else if (!mine.isEqualNode(row) && !busy(mine)) {
      if (mine.tagName === "DETAILS") row.open = mine.open;
      if (mine === at) at = mine.nextElementSibling;
      mine.replaceWith(row);
      mine = row;
    }
    if (mine === at) at = at.nextElementSibling;
    else if (at && mine.nextElementSibling === at) continue;
    else old.insertBefore(mine, at);
  }
  for (const gone of known.values()) gone.remove();
}

function tell(words) {
  const place = document.getElementById("connection");
  if (!place) return;
  place.hidden = !words;
  place.textContent = words;
}

function listen() {
  const live = document.getElementById("live");
  clearTimeout(timer);
  if (source) source.close();
  source = null;
  if (!live || !live.dataset.feed || document.hidden) return;
  if (every) return poll();
  source = new EventSource(live.dataset.feed);
  source.addEventListener("open", () => tell(""));
  source.addEventListener("part", (news) => {
    const fresh = document.createElement("div");
    fresh.append(...read(JSON.parse(news.data)).body.childNodes);
    for (const { name, value } of live.attributes) fresh.setAttribute(name, value);
    morph(live, fresh);
  });
  // A browser has few connections to one server: with many pages open, this one asks instead of listening.
  source.addEventListener("poll", (news) => {
    every = Number(news.data);
    listen();
  });
  source.addEventListener("error", () => {
    tell(AWAY);
    if (source && source.readyState === EventSource.CLOSED) timer = setTimeout(retry, AGAIN);
  });
}

async function poll() {
  try {
    const answer = await fetch(location.href);
    if (answer.status === 401) return location.reload();
    const fresh = answer.ok && read(await answer.text()).getElementById("live");
    if (fresh) morph(document.getElementById("live"), fresh);
    tell("");
  } catch {
    tell(AWAY);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, every);
}

// The connection was refused for good: the session may be over, or another proxy is there now.
async function retry() {
  try {
    const answer = await fetch(location.href, { redirect: "follow" });
    if (answer.status === 401) return location.reload();
    if (answer.ok) return listen();
  } catch { /* nobody there yet */ }
  timer = setTimeout(retry, AGAIN);
}

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form));
  if (button && button.name) body.set(button.name, button.value);
  const answer = await fetch(form.action, { method: "POST", body });
  if (answer.status === 401 || answer.status === 403) return location.reload();
  const page = read(await answer.text());
  for (const id of ["notice", "live"]) {
    const old = document.getElementById(id);
    const fresh = page.getElementById(id);
    if (!old || !fresh) return location.reload();
    old.replaceChildren(...fresh.childNodes);
  }
  document.getElementById("notice").scrollIntoView({ block: "nearest" });
  const undo = document.querySelector("#notice button");
  (undo || document.getElementById("main")).focus({ preventScroll: true });
}

document.addEventListener("submit", (happened) => {
  const form = happened.target;
  if (!("enhance" in form.dataset)) return;
  happened.preventDefault();
  const button = happened.submitter;
  if (button) button.disabled = true;
  send(form, button).catch(() => tell("The proxy does not answer, so nothing was changed. Try it again."))
    .finally(() => { if (button) button.disabled = false; });
});

// A menu closes when another one opens, at a click beside it, and with Escape.
document.addEventListener("click", (happened) => {
  for (const each of document.querySelectorAll("details.dropdown[open]"))
    if (!each.contains(happened.target)) each.open = false;
});
document.addEventListener("keydown", (happened) => {
  if (happened.key !== "Escape") return;
  for (const each of document.querySelectorAll("details.dropdown[open]")) {
    each.open = false;
    each.querySelector("summary").focus();
  }
});

// A rotation on the timeline leads to what is known of it.
function show() {
  const wanted = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (wanted && wanted.tagName === "DETAILS") { wanted.open = true; wanted.scrollIntoView({ block: "center" }); }
}
window.addEventListener("hashchange", show);
document.addEventListener("visibilitychange", listen);
if (location.search.includes("done=")) {
  const clean = new URL(location.href);
  clean.searchParams.delete("done");
  history.replaceState(null, "", clean);
}
show();
listen();
