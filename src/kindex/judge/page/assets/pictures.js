// Thumbnails in place of marks, once so few items are in sight that each has room.
const ROOM = 500;
const pictures = new Map();

function drawPictures() {
  const inside = [];
  for (let i = 0; i < count && inside.length <= ROOM; i++) {
    const [x, y] = pixel(i);
    if (step(i)[0] >= 0 && x > -20 && y > -20 && x < canvas.clientWidth + 20 && y < canvas.clientHeight + 20) inside.push(i);
  }
  if (inside.length > ROOM) return;
  const side = Math.min(Math.max(camera.zoom * 5, 16), 40);
  pen.imageSmoothingEnabled = false;
  for (const i of inside) {
    const thumbnail = data.images[i] && state.shown[i] && picture(i);
    if (!thumbnail || !thumbnail.complete) continue;
    const [x, y] = pixel(i);
    pen.fillStyle = colour(marks[i]);
    pen.fillRect(x - side / 2 - 2, y - side / 2 - 2, side + 4, side + 4);
    pen.drawImage(thumbnail, x - side / 2, y - side / 2, side, side);
  }
}

function picture(i) {
  if (!pictures.has(i)) {
    const thumbnail = new Image();
    thumbnail.onload = redraw;
    thumbnail.src = data.images[i];
    pictures.set(i, thumbnail);
  }
  return pictures.get(i);
}
