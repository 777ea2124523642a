"use strict";
/* The misclassified digits, filtered by what they are and what the network reads. The filter is the hash, for example
   #network?true=4&predicted=9. The digits are in a file beside the page, loaded when the gallery comes near.
     networkGallery(given, chosen)
   chosen(digit) is called with the digit that is clicked. The result has next(): a promise of the next digit. */
const networkGallery = (given, chosen) => {
  const gallery = document.getElementById("network-gallery");
  const form = document.getElementById("network-filter");
  const list = document.getElementById("network-mistakes");
  const status = document.getElementById("network-shown");
  const more = document.getElementById("network-more");
  const link = document.querySelector('nav a[href^="#network"]');
  const fields = ["true", "predicted"];
  let digits = [];
  let loading;
  let limit = given.page;
  let example = -1;

  gallery.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const name of fields) {
    form.elements[name].addEventListener("change", () => {
      show();
      history.pushState(null, "", hash());
    });
  }
  more.addEventListener("click", () => {
    const first = list.children.length;
    fill(limit + given.page, first);
    list.children[first]?.firstElementChild.focus();
  });
  addEventListener("popstate", restore);
  if (location.hash.startsWith("#network?")) addEventListener("load", () => gallery.scrollIntoView());
  restore();
  nnkernels.near(gallery, load);

  /* Other anchors leave the filter as it is. */
  function restore() {
    const [anchor, query] = location.hash.split("?");
    if (anchor && anchor !== "#network") return;
    const wanted = new URLSearchParams(query ?? "");
    for (const name of fields) {
      const select = form.elements[name];
      select.value = wanted.get(name) ?? "";
      if (select.selectedIndex < 0) select.value = "";
    }
    show();
  }

  function hash() {
    const query = new URLSearchParams(fields.map((name) => [name, form.elements[name].value]).filter(([, value]) => value));
    return query.size ? `#network?${query}` : "#network";
  }

  async function load() {
    loading ??= read();
    try {
      digits = await loading;
      show();
    } catch (error) {
      loading = undefined;
      status.textContent = error.message;
    }
  }

  /* Each digit with its pixels, which are cells of one picture. */
  async function read() {
    const { sprite, columns, digits: found } = await nnkernels.load(given.file);
    const [height, width] = given.image;
    const picture = new Image();
    picture.src = sprite;
    await picture.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return found.map((digit, place) => {
      const { data } = context.getImageData(place % columns * width, Math.floor(place / columns) * height, width, height);
      return { ...digit, pixels: Uint8Array.from({ length: height * width }, (_, index) => data[4 * index]) };
    });
  }

  function show() {
    if (link) link.setAttribute("href", hash());
    if (digits.length) fill(given.page);
  }

  function matching() {
    return digits.filter((digit) => fields.every((name) => ["", String(digit[name])].includes(form.elements[name].value)));
  }

  /* Shows the first of the matching digits; those that are there already stay. */
  function fill(most, there = 0) {
    limit = most;
    const found = matching();
    const shown = found.slice(0, limit);
    while (list.children.length > there) list.lastChild.remove();
    list.append(...shown.slice(there).map(cell));
    more.hidden = shown.length === found.length;
    const isFiltered = fields.some((name) => form.elements[name].value);
    const which = isFiltered ? ` that match, among ${digits.length}` : "";
    status.textContent = found.length ? `Shown: ${shown.length} of ${found.length}${which}.` : `None of the ${digits.length} matches.`;
  }

  function cell(digit) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = `${digit.text}. Show it to the network.`;
    button.append(networkPictures.ink(digit.pixels, given.image), label(digit));
    button.addEventListener("click", () => chosen(digit));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  function label({ true: right, predicted, probability }) {
    const text = document.createElement("span");
    const names = Object.assign(document.createElement("strong"), { textContent: `${given.classes[right]} \u2192 ${given.classes[predicted]}` });
    text.append(names, ` ${probability}`);
    return text;
  }

  function repaint() {
    if (digits.length) fill(limit);
  }

  async function next() {
    await load();
    const found = matching();
    if (!found.length) return null;
    example = (example + 1) % found.length;
    return found[example];
  }

  return { next, repaint };
};
