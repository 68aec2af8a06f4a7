// The map's columns, as the Python side wrote them, and what follows from them once.
const data = JSON.parse(document.getElementById("map-data").textContent);
const count = data.ids.length;
for (const view of Object.values(data.views)) view.xy = Int32Array.from(view.xy);
const haystack = data.ids.map((id, i) => [id, ...data.by.map((by) => told(by, i)), data.descriptions[i]].join("\n").toLowerCase());
let by, marks, order;

function told(by, i) {
  return by.labels[by.label[i]] ?? "";
}

// Colour by a column: its marks (-1 is the grey one), and the items in the order of drawing: grey ones lowest, then the
// largest groups, so that small groups stay on top.
function colourBy(column) {
  by = data.by[column];
  const heights = by.groups.map(({ mark, count }) => (mark < 0 ? -Infinity : -count));
  marks = Int8Array.from(by.group, (group) => by.groups[group].mark);
  order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => heights[by.group[a]] - heights[by.group[b]] || a - b);
}

colourBy(0);

const state = {
  view: data.views.tsne ? "tsne" : "pca",
  chosen: new Set(), // groups picked in the legend; none picked shows all
  matches: null, // Uint8Array over the items while something is searched
  shown: new Uint8Array(count).fill(1), // what both leave; the rest is faint
  hover: -1,
  pinned: -1,
};

function filter() {
  const { chosen, matches, shown } = state;
  for (let i = 0; i < count; i++) shown[i] = (!chosen.size || chosen.has(by.group[i])) && (!matches || matches[i]) ? 1 : 0;
  redraw();
}
