"use strict";
/* Small pictures, a pixel each: weights in two colours, and ink. */
const networkPictures = (() => {
  /* The colour of a variable of the style sheet, as red, green and blue. */
  function colour(name) {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
    return [0, 2, 4].map((place) => Number.parseInt(hex.slice(place, place + 2), 16));
  }

  function painted([height, width], pixel, canvas = document.createElement("canvas")) {
    [canvas.width, canvas.height] = [width, height];
    canvas.setAttribute("aria-hidden", "true"); // a text stands beside it
    const context = canvas.getContext("2d");
    const data = context.createImageData(width, height);
    for (let place = 0; place < height * width; place++) data.data.set(pixel(place), 4 * place);
    context.putImageData(data, 0, 0);
    return canvas;
  }

  function ink(pixels, size, canvas) {
    const shade = colour("--ink");
    return painted(size, (place) => [...shade, pixels[place]], canvas);
  }

  /* The weights into one unit; those of at least the limit have the full colour. */
  function weights(W1, unit, units, limit, size, canvas) {
    const [raising, lowering] = [colour("--worse"), colour("--better")];
    return painted(size, (place) => {
      const weight = W1[place * units + unit];
      return [...(weight > 0 ? raising : lowering), 255 * Math.min(1, Math.abs(weight) / limit)];
    }, canvas);
  }

  return { ink, weights };
})();
