// The legend: a button for each group. Picking some shows those, picking none shows all.
const legend = document.querySelector("[data-legend]");
const all = document.querySelector("[data-legend-all]");

function swatch(mark) {
  const size = 12;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  const ring = mark >= COLOURS.length;
  const shape = ring ? { r: 4, fill: "none", "stroke-width": 2 } : { r: 5, fill: colour(mark), "stroke-width": 0 };
  const look = { cx: 6, cy: 6, stroke: colour(mark), ...shape };
  svg.setAttribute("width", size);
  svg.setAttribute("height", size);
  for (const [name, value] of Object.entries(look)) dot.setAttribute(name, value);
  svg.append(dot);
  return svg;
}

function buildLegend() {
  const rows = by.groups.map(({ name, count, mark }, group) => {
    const button = element("button");
    button.type = "button";
    button.title = name;
    button.append(swatch(mark), element("bdi", name), element("span", count.toLocaleString("en"), "num"));
    button.addEventListener("click", () => choose(group));
    const row = element("li");
    row.append(button);
    return row;
  });
  legend.replaceChildren(...rows);
  showChosen();
}

function choose(group) {
  if (!state.chosen.delete(group)) state.chosen.add(group);
  showChosen();
  filter();
}

function chooseAll() {
  state.chosen.clear();
  showChosen();
  filter();
}

function showChosen() {
  legend.classList.toggle("chosen", state.chosen.size > 0);
  all.hidden = state.chosen.size === 0;
  legend.querySelectorAll("button").forEach((button, group) => button.setAttribute("aria-pressed", state.chosen.has(group)));
}
