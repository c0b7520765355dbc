"use strict";
// What the page can do beyond being read: filter its table, and list the observations of a section that is opened.
const most = 500;

const filter = document.getElementById("filter");
const onlyWrong = document.getElementById("only-wrong");
const rows = [...document.querySelectorAll("#table tbody tr")];
function filterResults() {
  const wanted = filter.value.toLowerCase();
  let shown = 0;
  for (const row of rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted) || (onlyWrong.checked && !row.classList.contains("wrong"));
    shown += !row.hidden;
  }
  document.getElementById("none").hidden = shown > 0;
}
filter.addEventListener("input", filterResults);
onlyWrong.addEventListener("change", filterResults);

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function cell(text) {
  const made = document.createElement("td");
  made.textContent = text;
  return made;
}

for (const details of document.querySelectorAll("details.all")) {
  let all = null;
  const wanted = details.querySelector("input");
  const body = details.querySelector("tbody");
  const list = () => {
    const word = wanted.value.toLowerCase();
    const found = all.filter(([, kind, facts]) => `${kind} ${facts}`.toLowerCase().includes(word));
    body.replaceChildren(
      ...found.slice(0, most).map(([at, kind, facts]) => {
        const row = document.createElement("tr");
        row.append(cell(at.toFixed(3)), cell(kind), cell(facts));
        return row;
      }),
    );
    const cut = found.length > most ? `, the first ${most} shown: filter for others` : "";
    details.querySelector(".count").textContent = `${found.length} of ${all.length}${cut}`;
  };
  details.addEventListener("toggle", async () => {
    if (details.open && all === null) {
      all = await unpack(details.querySelector("script").textContent);
      list();
    }
  });
  wanted.addEventListener("input", () => all !== null && list());
}
