// Search over ids, labels and descriptions: matches stand out on the map and are listed beside it.
const LISTED = 40;
const search = document.querySelector("[data-search]");
const found = document.querySelector("[data-found]");
const list = document.querySelector("[data-found-list]");

function find(text) {
  const wanted = text.trim().toLowerCase();
  state.matches = null;
  found.hidden = !wanted;
  if (!wanted) return filter();
  const hits = [];
  state.matches = new Uint8Array(count);
  for (let i = 0; i < count; i++)
    if (haystack[i].includes(wanted)) {
      state.matches[i] = 1;
      hits.push([closeness(haystack[i], wanted), i]);
    }
  hits.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  listHits(hits.map(([, i]) => i));
  filter();
}

// 0: the id is the text; 1: it begins so; 2: it holds it; 3: the text stands elsewhere.
function closeness(text, wanted) {
  const id = text.slice(0, text.indexOf("\n"));
  return id === wanted ? 0 : id.startsWith(wanted) ? 1 : id.includes(wanted) ? 2 : 3;
}

function listHits(hits) {
  const more = hits.length > LISTED ? `, the first ${LISTED} listed` : "";
  const noun = hits.length === 1 ? "match" : "matches";
  document.querySelector("[data-found-count]").textContent = `${hits.length.toLocaleString("en")} ${noun}${more}`;
  const rows = hits.slice(0, LISTED).map((i) => {
    const button = element("button");
    button.type = "button";
    button.append(element("bdi", data.ids[i]));
    button.title = data.ids[i];
    button.addEventListener("click", () => goTo(i));
    const row = element("li");
    row.append(button);
    return row;
  });
  list.replaceChildren(...rows);
}

function goTo(i) {
  state.pinned = i;
  if (step(i)[0] >= 0) {
    if (camera.zoom < 3) zoomAt(0, 0, 3 / camera.zoom);
    centreOn(i);
  }
  redraw();
}
