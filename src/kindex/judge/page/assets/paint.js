// Drawing. Marks go straight into the pixels, so that a hundred thousand of them fit in a frame on any machine.
// Six colours of Okabe and Ito that hold on light and on dark paper, each as a disc and as a ring.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7"];
const pen = canvas.getContext("2d", { alpha: false });
let paper = theme();
let image = null;

function theme() {
  const style = getComputedStyle(document.documentElement);
  const [ink, quiet, faint, back] = ["--ink", "--quiet", "--bar", "--wash"].map((name) => style.getPropertyValue(name).trim());
  return { ink, quiet, faint, back };
}

function colour(mark) {
  return mark < 0 ? paper.faint : COLOURS[mark % COLOURS.length];
}

function radius() {
  const base = count > 30000 ? 1.3 : count > 6000 ? 2 : 2.8;
  return Math.min(base * camera.zoom ** 0.35, 8);
}

function draw() {
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(Math.round(side * ratio), 1));
  if (image?.width !== width || image?.height !== height) {
    canvas.width = width;
    canvas.height = height;
    image = pen.createImageData(width, height);
  }
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(packed(paper.back));
  drawMarks(pixels, width, height, 0);
  drawMarks(pixels, width, height, 1);
  pen.putImageData(image, 0, 0);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (data.images) drawPictures();
  for (const i of [state.pinned, state.hover]) if (i >= 0) drawRing(i);
  placeCard();
}

// The marks of the items that are shown (1) or faint behind them (0).
function drawMarks(pixels, width, height, shown) {
  const ratio = devicePixelRatio;
  const size = radius() * ratio;
  const stamps = COLOURS.concat(COLOURS).map((_, mark) => stamp(mark, size, width));
  const filtered = state.chosen.size > 0 || state.matches !== null;
  const grey = { ...stamp(-1, size, width), colour: packed(shown && filtered ? paper.quiet : paper.faint) };
  const { xy } = data.views[state.view];
  const [s, left, top] = [scale() * ratio, camera.x * ratio, camera.y * ratio];
  const rim = Math.ceil(size) + 1;
  for (const i of order) {
    if (state.shown[i] !== shown || xy[2 * i] < 0) continue;
    const x = Math.round(xy[2 * i] * s + left);
    const y = Math.round(xy[2 * i + 1] * s + top);
    if (x < rim || y < rim || x >= width - rim || y >= height - rim) continue;
    const mark = shown && marks[i] >= 0 ? stamps[marks[i]] : grey;
    press(pixels, y * width + x, mark, shown ? 0.85 : 0.4);
  }
}

// Mix a stamp's colour into the pixels around `at`, two channels at a time.
function press(pixels, at, { offsets, cover, colour }, strength) {
  const [redBlue, green] = [colour & 0xff00ff, colour & 0x00ff00];
  for (let n = 0; n < offsets.length; n++) {
    const a = Math.round(cover[n] * strength);
    const old = pixels[at + offsets[n]];
    const mixed = ((redBlue * a + (old & 0xff00ff) * (256 - a)) >>> 8) & 0xff00ff;
    pixels[at + offsets[n]] = mixed | (((green * a + (old & 0x00ff00) * (256 - a)) >>> 8) & 0x00ff00) | 0xff000000;
  }
}

// A mark as pixel offsets and how much of each pixel it covers, in 256ths.
function stamp(mark, size, width) {
  const offsets = [];
  const cover = [];
  const hole = mark >= COLOURS.length ? size * 0.5 : -1;
  const reach = Math.ceil(size);
  for (let dy = -reach; dy <= reach; dy++)
    for (let dx = -reach; dx <= reach; dx++) {
      const away = Math.hypot(dx, dy);
      const share = Math.min(part(size - away), part(away - hole));
      if (share > 0) {
        offsets.push(dy * width + dx);
        cover.push(Math.round(share * 256));
      }
    }
  return { offsets, cover, colour: packed(colour(mark)) };
}

function part(distance) {
  return Math.min(Math.max(distance + 0.5, 0), 1);
}

// #rrggbb as the number that stands for it in the pixels: red in the lowest byte.
function packed(hex) {
  const [red, green, blue] = [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

function drawRing(i) {
  const [x, y] = pixel(i);
  pen.beginPath();
  pen.arc(x, y, radius() + 4, 0, 2 * Math.PI);
  pen.lineWidth = 2;
  pen.strokeStyle = paper.ink;
  pen.stroke();
}

let waiting = 0;
function redraw() {
  waiting ||= requestAnimationFrame(() => {
    waiting = 0;
    draw();
  });
}
