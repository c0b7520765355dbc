"use strict";
// Takes what the server sends and puts it on the page; sends what the buttons are for. What comes as HTML was made by the
// server's templates, which escape; what comes as lines becomes text here.
const most = 500;
const token = location.hash.slice(1);
const part = (name) => document.querySelector(`[data-part="${name}"]`);
const byId = (id) => document.getElementById(id);

// -- parts --

// Makes a node's children those of another one and keeps what is the same: focus, selection and titles stay.
function become(parent, wanted) {
  const ids = new Set([...wanted.children].map((child) => child.id).filter(Boolean));
  for (const child of [...parent.children]) if (child.id && !ids.has(child.id)) child.remove();
  const known = new Map([...parent.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = parent.firstChild;
  for (const next of [...wanted.childNodes]) {
    const same = place && !place.id && place.nodeName === next.nodeName ? place : null;
    const have = next.id ? known.get(next.id) : same;
    if (!have) {
      parent.insertBefore(next, place);
      continue;
    }
    if (have === place) place = place.nextSibling;
    else parent.insertBefore(have, place);
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.nodeValue !== next.nodeValue) have.nodeValue = next.nodeValue;
      continue;
    }
    for (const { name } of [...have.attributes]) if (!next.hasAttribute(name)) have.removeAttribute(name);
    for (const { name, value } of next.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    become(have, next);
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function show(name, html) {
  const shown = part(name);
  const focused = shown.contains(document.activeElement);
  const made = document.createElement("template");
  made.innerHTML = html;
  become(shown, made.content);
  // What had the focus is gone: the next one to press Tab goes on from here.
  if (focused && !shown.contains(document.activeElement)) shown.closest("section").querySelector("h2").focus();
  if (name === "topology") connect();
}

// The lines from each thing to what it leads to; they are in words, too, for who does not see them.
function connect() {
  const drawing = byId("lines");
  const topology = byId("topology");
  const size = topology.getBoundingClientRect();
  drawing.setAttribute("width", size.width);
  drawing.setAttribute("height", size.height);
  const paths = [];
  if (getComputedStyle(drawing).display !== "none") {
    for (const from of topology.querySelectorAll(".node")) {
      for (const id of from.dataset.to.split(" ").filter(Boolean)) {
        const to = byId(id);
        if (!to) continue;
        const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
        const forward = b.left >= a.right;
        const [x1, x2] = [(forward ? a.right : a.left) - size.left, (forward ? b.left : b.right) - size.left];
        const [y1, y2] = [a.top + 12 - size.top, b.top + 12 - size.top];
        const bend = Math.max(12, Math.abs(x2 - x1) / 2) * (forward ? 1 : -1);
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
        paths.push(path);
      }
    }
  }
  drawing.querySelector("g").replaceChildren(...paths);
}
addEventListener("resize", connect);

// -- lines --

function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB", { hour12: false });
}

function span(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

const filters = new Map([...document.querySelectorAll("[data-for]")].map((input) => [input.dataset.for, input]));

function filtered(list) {
  const word = filters.get(list.id).value.toLowerCase();
  for (const line of list.children) line.hidden = !line.textContent.toLowerCase().includes(word);
}
for (const [id, input] of filters) input.addEventListener("input", () => filtered(byId(id)));

function add(list, made) {
  if (!made.length) return;
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  list.append(...made);
  while (list.children.length > most) list.firstChild.remove();
  filtered(list);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

let last = 0;
function addLines({ lines, missed }) {
  const made = { events: [], logs: [] };
  if (missed) {
    const said = span("p", `${missed} earlier lines are not shown: sandbox up --timeline FILE keeps what happens`);
    made.events.push(said);
    made.logs.push(said.cloneNode(true));
  }
  for (const line of lines) {
    last = line.number;
    const shown = document.createElement("p");
    shown.append(span("time", clock(line.at)), ...(line.source ? [span("b", line.source)] : []), line.text);
    made[line.source ? "logs" : "events"].push(shown);
  }
  add(byId("events"), made.events);
  add(byId("logs"), made.logs);
}

// -- the connection --

let source = null;
function link(text, bad = false) {
  const said = byId("link");
  if (said.textContent !== text) said.textContent = text;
  said.classList.toggle("bad", bad);
}

function listen() {
  if (source) source.close();
  const asked = new URLSearchParams({ token, minutes: byId("minutes").value, after: last });
  source = new EventSource(`/events?${asked}`);
  source.addEventListener("open", () => link("live"));
  source.addEventListener("lines", (event) => addLines(JSON.parse(event.data)));
  source.addEventListener("parts", (event) => {
    for (const [name, html] of Object.entries(JSON.parse(event.data))) show(name, html);
  });
  source.addEventListener("over", () => {
    source.close();
    link("The stack is being taken down.", true);
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      link("Refused. Open the URL that sandbox up has printed: it has a token for this stack.", true);
    } else {
      link("The connection is lost; trying again ...", true);
    }
  });
}
byId("minutes").addEventListener("change", listen);

// -- actions --

const underWay = new Set();
function say(text, bad = false) {
  const said = byId("said");
  said.textContent = text;
  said.className = bad ? "bad" : "good";
}

// A browser drops its connections when a network interface comes or goes, as those of containers do: an order whose answer
// has not come is sent again, and is carried out once.
async function send(verb, body) {
  const number = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16)).join("-");
  const headers = { "Content-Type": "application/json", "X-Sandbox-Token": token, "X-Sandbox-Order": number };
  for (let left = 4; ; left -= 1) {
    try {
      return await fetch(`/do/${verb}`, { method: "POST", headers, body });
    } catch (error) {
      if (!left) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

async function act(verb, order, what) {
  const body = JSON.stringify(order);
  if (underWay.has(verb + body)) return;
  underWay.add(verb + body);
  say(`${what} ...`);
  try {
    const answer = await send(verb, body);
    const told = await answer.json();
    const why = [told.message, told.state, ...(told.log || []), told.hint && `next: ${told.hint}`].filter(Boolean);
    say(answer.ok ? told.message : `${what}: ${why.join("\n")}`, !answer.ok);
  } catch (error) {
    say(`${what}: the sandbox does not answer (${error.message})`, true);
  } finally {
    underWay.delete(verb + body);
  }
}

const dialog = byId("fault");
const faultName = byId("fault-name");
function chooseFault(options = {}) {
  for (const fields of dialog.querySelectorAll("fieldset")) {
    fields.hidden = fields.disabled = fields.dataset.fault !== faultName.value;
    for (const field of fields.elements) {
      if (field.name) field.value = options[field.name] ?? field.dataset.default;
    }
  }
}
faultName.addEventListener("change", () => chooseFault());

function openFault({ name = faultName.value, target = "", options = {} } = {}) {
  faultName.value = name;
  byId("fault-target").value = target;
  chooseFault(options);
  dialog.showModal();
  const first = target && dialog.querySelector("fieldset:not([hidden]) input, fieldset:not([hidden]) select");
  (first || faultName).focus();
}
byId("open").addEventListener("click", () => openFault());
byId("fault-cancel").addEventListener("click", () => dialog.close());
dialog.querySelector("form").addEventListener("submit", () => {
  const fields = dialog.querySelector(`fieldset[data-fault="${faultName.value}"]`).elements;
  const options = Object.fromEntries([...fields].filter((one) => one.name).map((one) => [one.name, one.value]));
  const target = byId("fault-target").value;
  act("fault", { name: faultName.value, target, options }, `${faultName.value} of ${target}`);
});

byId("replay").addEventListener("click", (event) => act("replay", {}, event.target.getAttribute("aria-label")));
document.querySelector("main").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-order]");
  if (!button) return;
  const order = JSON.parse(button.dataset.order);
  if (button.dataset.verb) act(button.dataset.verb, order, button.getAttribute("aria-label"));
  else openFault(order);
});

listen();
