// The map's columns, as the Python side wrote them, and what follows from them once.
const data = JSON.parse(document.getElementById("map-data").textContent);
const count = data.ids.length;
for (const view of Object.values(data.views)) view.xy = Int32Array.from(view.xy);
const marks = Int8Array.from(data.group, (group) => data.groups[group].mark); // -1 is the grey one
const haystack = data.ids.map((id, i) => `${id}\n${data.labels[data.label[i]] ?? ""}\n${data.descriptions[i]}`.toLowerCase());

// Items in the order of drawing: grey ones lowest, then the largest groups, so that small groups stay on top.
const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => height(a) - height(b) || a - b);

function height(i) {
  return marks[i] < 0 ? -Infinity : -data.groups[data.group[i]].count;
}

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
  for (let i = 0; i < count; i++) shown[i] = (!chosen.size || chosen.has(data.group[i])) && (!matches || matches[i]) ? 1 : 0;
  redraw();
}
