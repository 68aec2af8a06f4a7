// Pointer, wheel, keys and controls.
const pointers = new Map();
let lastScroll = -1e9;
let moved = 0;

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

function pressed(event) {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, place(event));
  moved = 0;
}

function move(event) {
  const now = place(event);
  const before = pointers.get(event.pointerId);
  if (!before) return hover(now);
  pointers.set(event.pointerId, now);
  const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
  moved += Math.abs(dx) + Math.abs(dy);
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    zoomAt(...middle, distance(now, other) / Math.max(distance(before, other), 1));
  }
  const fingers = pointers.size;
  camera.x += dx / fingers;
  camera.y += dy / fingers;
  state.hover = -1;
  canvas.classList.add("dragging");
  redraw();
}

function release(event) {
  const was = pointers.delete(event.pointerId);
  canvas.classList.remove("dragging");
  if (!was || moved > 6 || event.type === "pointercancel") return;
  const reach = event.pointerType === "touch" ? 22 : 10;
  state.pinned = nearest(...place(event), reach);
  redraw();
}

function hover([x, y]) {
  const i = nearest(x, y, 10);
  if (i === state.hover) return;
  state.hover = i;
  canvas.classList.toggle("near", i >= 0);
  redraw();
}

function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

// A wheel that is scrolling the page goes on scrolling it when the map comes under the pointer.
function wheel(event) {
  const passing = event.timeStamp - lastScroll < 250 && !event.ctrlKey;
  const outward = event.deltaY > 0 && camera.zoom === 1;
  if (passing || outward) return;
  event.preventDefault();
  zoomAt(...place(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : event.ctrlKey ? 0.01 : 0.002)));
  redraw();
}

function zoomBy(factor) {
  zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, factor);
  redraw();
}

function fitAll() {
  resetCamera();
  redraw();
}

function clear() {
  state.pinned = state.hover = -1;
  redraw();
}

function shift(dx, dy) {
  camera.x += dx;
  camera.y += dy;
  redraw();
}

const keys = {
  "+": () => zoomBy(1.5),
  "=": () => zoomBy(1.5),
  "-": () => zoomBy(1 / 1.5),
  0: fitAll,
  Escape: clear,
  ArrowLeft: () => shift(60, 0),
  ArrowRight: () => shift(-60, 0),
  ArrowUp: () => shift(0, 60),
  ArrowDown: () => shift(0, -60),
};

function key(event) {
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  keys[event.key]();
}

function switchView(event) {
  state.view = event.target.value;
  fitAll();
}

function switchColumn(event) {
  colourBy(Number(event.target.value));
  state.chosen.clear();
  buildLegend();
  filter();
}

function start() {
  canvas.addEventListener("pointerdown", pressed);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => hover([-1e6, -1e6]));
  canvas.addEventListener("wheel", wheel, { passive: false });
  canvas.addEventListener("keydown", key);
  addEventListener("scroll", (event) => (lastScroll = event.timeStamp), { passive: true });
  document.querySelectorAll("[name=view]").forEach((input) => input.addEventListener("change", switchView));
  document.querySelector("[data-by]")?.addEventListener("change", switchColumn);
  const zooms = { in: () => zoomBy(1.5), out: () => zoomBy(1 / 1.5), fit: fitAll };
  document.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", zooms[button.dataset.zoom]));
  search.addEventListener("input", () => find(search.value));
  all.addEventListener("click", chooseAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  addEventListener("beforeprint", recolour);
  addEventListener("afterprint", recolour);
  new ResizeObserver(fitAll).observe(canvas);
  resetCamera();
  recolour();
  document.querySelector("[data-map]").dataset.ready = "";
}

function recolour() {
  paper = theme();
  buildLegend();
  draw();
}

start();
