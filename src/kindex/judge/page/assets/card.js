// The card beside an item. Text goes in as text, never as markup.
const card = document.querySelector("[data-card]");

function element(name, text, ...classes) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  made.classList.add(...classes);
  return made;
}

// A value says what it is of where there are several.
function named(column, i) {
  const value = told(column, i);
  return value && data.by.length > 1 ? `${column.title}: ${value}` : value;
}

function fill(i) {
  const parts = [element("b"), ...data.by.map(() => element("span")), element("span", undefined, "quiet")];
  const texts = [data.ids[i], ...data.by.map((column) => named(column, i)), data.descriptions[i]];
  parts.forEach((part, n) => part.append(element("bdi", texts[n])));
  const image = data.images?.[i];
  if (image) {
    const thumbnail = element("img", undefined, "pixels");
    thumbnail.src = image;
    thumbnail.alt = "";
    parts.unshift(thumbnail);
  }
  card.replaceChildren(...parts);
  card.dataset.item = i;
}

function placeCard() {
  const i = state.hover >= 0 ? state.hover : state.pinned;
  card.hidden = i < 0;
  if (i < 0) return;
  if (card.dataset.item !== String(i)) fill(i);
  const [x, y] = pixel(i);
  const gap = 14;
  const right = x + gap + card.offsetWidth < canvas.clientWidth;
  const left = right ? x + gap : Math.max(x - gap - card.offsetWidth, 0);
  const top = Math.min(Math.max(y - card.offsetHeight / 2, 0), canvas.clientHeight - card.offsetHeight);
  card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}
