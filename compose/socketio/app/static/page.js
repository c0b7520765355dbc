"use strict";
// Whatever comes from others goes into the page as text (textContent), never as HTML.

const at = (id) => document.getElementById(id);
const LONGEST = 100; // lines of a list
// Relative to the page, so that it works below a path of a proxy too.
const socket = io(location.origin, { path: new URL("socket.io", location.href).pathname });
const rooms = new Set();
let times = 0;

function line(list, text, about) {
  const item = document.createElement("li");
  const small = document.createElement("small");
  item.textContent = text;
  small.textContent = about;
  item.append(small);
  at(list).prepend(item);
  while (at(list).children.length > LONGEST) at(list).lastChild.remove();
}

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

function show(connected, why) {
  at("state").textContent = connected ? "connected" : why;
  at("state").dataset.state = connected ? "on" : "off";
  if (!connected) at("transport").textContent = "none";
  for (const button of document.querySelectorAll("button")) button.disabled = !connected;
}

function showRooms() {
  at("rooms").replaceChildren(
    ...[...rooms].map((room) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.textContent = `${room} ✕`;
      button.setAttribute("aria-label", `Leave ${room}`);
      button.onclick = () =>
        send("leave", [room], () => {
          rooms.delete(room);
          showRooms();
        });
      item.append(button);
      return item;
    }),
  );
  at("say").elements.room.replaceChildren(...[...rooms].map((room) => new Option(room, room)));
}

function send(event, values, done) {
  socket.emit(event, ...values, (answer) => {
    problem(answer.error || "");
    if (!answer.error) done(answer);
  });
}

function onSubmit(id, act) {
  at(id).onsubmit = (event) => {
    event.preventDefault();
    act(at(id).elements);
  };
}

const clear = (fields) => () => {
  fields.text.value = "";
};
onSubmit("join", (fields) =>
  send("join", [fields.text.value], ({ room }) => {
    rooms.add(room);
    showRooms();
  }),
);
onSubmit("say", (fields) => {
  if (!fields.room.value) problem("Join a room first.");
  else send("say", [fields.room.value, fields.text.value], clear(fields));
});
onSubmit("shout", (fields) => send("shout", [fields.text.value], clear(fields)));
onSubmit("post", (fields) => send("post", [fields.text.value], clear(fields)));

function showTransport() {
  at("transport").textContent = socket.io.engine.transport.name;
}

socket.on("connect", () => {
  times += 1;
  at("times").textContent = times === 1 ? "once" : `${times} times`;
  show(true);
  showTransport();
  socket.io.engine.on("upgrade", showTransport);
  send("where", [], ({ process }) => (at("process").textContent = process));
  // A new connection is in no room yet.
  for (const room of rooms) send("join", [room], () => {});
  loadBoard();
});
socket.on("disconnect", (reason) => show(false, `disconnected (${reason}), trying again`));
socket.on("connect_error", (error) => show(false, `cannot connect: ${error.message || error}`));
socket.on("said", ({ room, text, process }) => line("said", text, `in ${room}, through ${process}`));
socket.on("shouted", ({ text, process }) => line("shouted", text, `through ${process}`));
socket.on("posted", showPost);

function showPost({ text, process, at: when }) {
  line("board", text, `${new Date(when).toLocaleString()}, through ${process}`);
}

async function loadBoard() {
  try {
    const answer = await fetch("board", { cache: "no-store" });
    const { posts, stored, error } = await answer.json();
    if (error) throw new Error(error);
    at("board").replaceChildren();
    posts.reverse().forEach(showPost);
    at("kept").textContent = stored
      ? "Stored in MongoDB, the same for every process."
      : "In the memory of one process: each has its own, and it goes with it.";
  } catch (error) {
    problem(`The board: ${error.message}`);
  }
}

async function showServed() {
  const answer = await fetch("health", { cache: "no-store" });
  at("served").textContent = answer.headers.get("X-Process") || "unknown";
}

show(false, "connecting");
showServed().catch((error) => problem(error.message));
