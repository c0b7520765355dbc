"use strict";
// One session of a Socket.IO client, as sandbox/probes/socketio_session.py has it: the same steps, outcomes and words.
//
//   node session.js '{"url": "http://chat.example.com"}'
//
// url: where the page is. other: for the second client, if not there. version: 4, or 2 for servers of 2020.
// within: seconds for each wait. idle: seconds to watch an idle WebSocket (0: not).
// Prints a line of JSON for each step: {"step", "outcome", "detail"}.

const options = { other: "", version: 4, within: 5, idle: 0, ...JSON.parse(process.argv[2]) };
// Version 2 would take Node's own WebSocket, which cannot send Origin and cookies; version 4 brings its own.
delete globalThis.WebSocket;
const io = require(options.version === 2 ? "socket.io-client-2" : "socket.io-client");
const BYTES = Buffer.from([0, 1, 2, 253, 254, 255]);
// Before there is a connection at all, in the words of sandbox/probes/http.py.
const UNREACHED = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name does not resolve",
  UND_ERR_SOCKET: "the server closed the connection without an answer",
};
const REFUSED = "the certificate is refused";
const TRIES = 12; // for a second client at another process
const opened = [];

// A browser loads the page first and has its cookies; and it says in Origin where the page is from.
async function connect(url, transports, more = {}) {
  let page;
  try {
    page = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(options.within * 1000) });
  } catch (error) {
    const outcome = error.name === "TimeoutError" ? "timed out" : unreached(error.cause || error, url);
    return { socket: { close() {} }, outcome, process: "", said: "" };
  }
  const cookies = page.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
  const extraHeaders = { Origin: new URL(url).origin };
  if (cookies.length) extraHeaders.Cookie = cookies.join("; ");
  const socket = io(url, { transports, extraHeaders, forceNew: true, reconnection: false, ...more });
  opened.push(socket);
  const client = { socket, outcome: "", process: "", heard: [], said: "" };
  for (const event of ["said", "shouted"]) socket.on(event, ({ text }) => client.heard.push(text));
  client.upgraded = new Promise((resolve) => {
    socket.io.engine.on("upgrade", () => resolve(""));
    socket.io.engine.on("upgradeError", (error) => resolve(words(error)));
  });
  let switched = false;
  const { ws } = socket.io.engine.transport;
  if (ws) ws.on("upgrade", () => (switched = true));
  const failed = new Promise((resolve) => {
    socket.on("connect_error", (error) => {
      client.said = error.context?.responseText || "";
      resolve(words(error));
    });
    socket.on("disconnect", (reason) => resolve(reason));
  });
  const connected = new Promise((resolve) => socket.on("connect", () => resolve("connected")));
  client.outcome = await within(Promise.race([connected, failed]));
  // Engine.IO's OPEN packet is what makes a session of a WebSocket.
  if (switched && client.outcome !== "connected" && !socket.io.engine.id) client.outcome = "101, then no OPEN packet";
  if (client.outcome === "connected") client.process = (await ask(client, "where")).process || "";
  return client;
}

// Why there is no page, in the words of Python's ssl where it is for the certificate, which both have of OpenSSL.
function unreached(cause, url) {
  if (cause.code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `${REFUSED}: Hostname mismatch, certificate is not valid for '${new URL(url).hostname}'.`;
  if (/CERT|SIGNATURE/.test(cause.code || "")) return `${REFUSED}: ${cause.message}`;
  return UNREACHED[cause.code] || cause.message;
}

// What went wrong, in the same words whichever version says it.
function words(error) {
  const said = error.description;
  const status = typeof said === "number" ? said : /server response: (\d+)/.exec((said && said.message) || "")?.[1];
  if (status) return `HTTP ${status}`;
  return (said && said.message) || error.message || String(error);
}

function within(promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, options.within * 1000, "no answer")));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const ask = (client, ...values) => within(new Promise((resolve) => client.socket.emit(...values, resolve)));

function tell(step, outcome, detail = {}) {
  console.log(JSON.stringify({ step, outcome, detail }));
}

function notTried(...steps) {
  for (const step of steps) tell(step, "not tried");
}

async function until(condition) {
  const end = Date.now() + options.within * 1000;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
  return condition();
}

// A second client, at another process than the first if there is one.
async function second(first) {
  let client = null;
  for (let tries = 0; tries < TRIES; tries += 1) {
    client = await connect(options.other || options.url, ["polling", "websocket"]);
    if (client.outcome !== "connected" || options.other) return client;
    if (client.process !== first.process) return client;
    if (tries < TRIES - 1) client.socket.close();
  }
  return client;
}

async function main() {
  const first = await connect(options.url, ["polling", "websocket"], { reconnection: true, reconnectionDelay: 100 });
  if (first.outcome === "connected") {
    tell("polling", "connected", { process: first.process });
    await alone(first);
    await together(first);
    await reconnect(first);
  } else {
    tell("polling", first.outcome, { said: first.said });
    notTried("upgrade", "text", "binary", "acknowledgement", "room", "broadcast", "reconnect");
  }
  first.socket.close();
  const second = await connect(options.url, ["websocket"]);
  tell("websocket-only", second.outcome, { process: second.process });
  if (options.idle) await idle();
}

async function alone(client) {
  const why = await within(client.upgraded);
  tell("upgrade", client.socket.io.engine.transport.name, why ? { why } : {});
  const text = "Grüße, 世界";
  tell("text", (await ask(client, "echo", text)) === text ? "same" : "not the same");
  const bytes = await ask(client, "echo", BYTES);
  tell("binary", Buffer.isBuffer(bytes) && bytes.equals(BYTES) ? "same" : "not the same");
  const answer = await ask(client, "where");
  tell("acknowledgement", answer.process ? "answered" : String(answer), { process: client.process });
}

async function together(first) {
  const other = await second(first);
  if (other.outcome !== "connected") {
    for (const step of ["room", "broadcast"]) tell(step, `second client: ${other.outcome}`);
    return;
  }
  const elsewhere = first.process !== other.process;
  const about = { from: other.process, to: first.process };
  await ask(first, "join", "a");
  await ask(other, "say", "a", "in a");
  await ask(other, "say", "b", "in b");
  await ask(other, "shout", "to all");
  const heard = () => first.heard;
  await until(() => heard().includes("to all") && heard().includes("in a"));
  tell("room", heard().includes("in a") && !heard().includes("in b") ? "heard" : "not heard", about);
  tell("broadcast", heard().includes("to all") ? (elsewhere ? "heard" : "heard, one process") : "not heard", about);
  other.socket.close();
}

// The connection is cut under the client, as by a network: nobody says goodbye.
async function reconnect(client) {
  const again = within(new Promise((resolve) => client.socket.on("connect", () => resolve("connected"))));
  const { engine } = client.socket.io;
  if (engine.transport.ws) engine.transport.ws.terminate();
  else engine.close();
  const outcome = await again;
  const answered = outcome === "connected" && (await ask(client, "where")).process;
  tell("reconnect", outcome === "connected" && !answered ? "connected, and no answer" : outcome);
}

// From the last packet on, nothing is sent but the server's pings.
async function idle() {
  const client = await connect(options.url, ["websocket"]);
  if (client.outcome !== "connected") return notTried("idle");
  const begun = Date.now();
  const cut = new Promise((resolve) => client.socket.on("disconnect", (reason) => resolve(reason)));
  const over = new Promise((resolve) => setTimeout(resolve, options.idle * 1000, ""));
  const reason = await Promise.race([cut, over]);
  const seconds = Math.round((Date.now() - begun) / 100) / 10;
  tell("idle", reason ? "cut" : "open", reason ? { seconds, reason } : { seconds });
}

main().finally(() => {
  for (const socket of opened) socket.close();
  process.exit();
});
