// Where we look: pixels = steps * zoom * fit + shift. `fit` puts the whole view on the canvas at zoom 1.
const canvas = document.querySelector("[data-canvas]");
const camera = { zoom: 1, x: 0, y: 0 };
const margin = 24;

function fit() {
  const { width, height } = data.views[state.view];
  return Math.min((canvas.clientWidth - 2 * margin) / width, (canvas.clientHeight - 2 * margin) / height);
}

function scale() {
  return fit() * camera.zoom;
}

function resetCamera() {
  const { width, height } = data.views[state.view];
  camera.zoom = 1;
  camera.x = (canvas.clientWidth - width * fit()) / 2;
  camera.y = (canvas.clientHeight - height * fit()) / 2;
  canvas.style.touchAction = "pan-y";
}

function zoomAt(x, y, factor) {
  const zoom = Math.min(Math.max(camera.zoom * factor, 1), 400);
  if (zoom === 1) return resetCamera();
  camera.x = x - (x - camera.x) * (zoom / camera.zoom);
  camera.y = y - (y - camera.y) * (zoom / camera.zoom);
  camera.zoom = zoom;
  canvas.style.touchAction = "none"; // inside a zoomed map a finger moves the map, outside it the page
}

function centreOn(i) {
  const [x, y] = step(i);
  camera.x = canvas.clientWidth / 2 - x * scale();
  camera.y = canvas.clientHeight / 2 - y * scale();
}

function step(i) {
  const { xy } = data.views[state.view];
  return [xy[2 * i], xy[2 * i + 1]];
}

function pixel(i) {
  const [x, y] = step(i);
  return [x * scale() + camera.x, y * scale() + camera.y];
}
