// Which item is under the pointer: a grid of cells over the view, each with its items, built once for each view.
const CELLS = 256;
const grids = new Map();

function grid() {
  if (grids.has(state.view)) return grids.get(state.view);
  const { xy, width, height } = data.views[state.view];
  const side = Math.max(width, height) / CELLS;
  const cells = new Map();
  for (let i = 0; i < count; i++) {
    if (xy[2 * i] < 0) continue;
    const key = Math.floor(xy[2 * i] / side) * (CELLS + 1) + Math.floor(xy[2 * i + 1] / side);
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(i);
  }
  grids.set(state.view, { side, cells });
  return grids.get(state.view);
}

// The nearest shown item within `reach` pixels of (x, y), or -1.
function nearest(x, y, reach) {
  const { side, cells } = grid();
  const { xy } = data.views[state.view];
  const at = [(x - camera.x) / scale(), (y - camera.y) / scale()];
  const far = reach / scale();
  const from = at.map((v) => Math.max(Math.floor((v - far) / side), 0));
  const to = at.map((v) => Math.min(Math.floor((v + far) / side), CELLS));
  let best = -1;
  let closest = far * far;
  for (let cx = from[0]; cx <= to[0]; cx++)
    for (let cy = from[1]; cy <= to[1]; cy++)
      for (const i of cells.get(cx * (CELLS + 1) + cy) ?? []) {
        const away = (xy[2 * i] - at[0]) ** 2 + (xy[2 * i + 1] - at[1]) ** 2;
        if (away <= closest && state.shown[i]) [best, closest] = [i, away];
      }
  return best;
}
