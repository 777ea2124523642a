"use strict";
/* A drawing in MNIST's form, as nnkernels.transforms makes it of a photo: strokes thick enough, 20 pixels on the longer
   side, and the centre of mass at the centre of 28 x 28 pixels. It runs in each frame while somebody draws, so the inner
   loops are plain. */
const networkCentring = (() => {
  const FAR = 1e12; // a squared distance beyond that in any drawing

  function empty(height, width) {
    return { height, width, values: new Float64Array(height * width) };
  }

  /* The part of an image from a row and a column on, in a given size; outside of the image it is 0. */
  function part(given, top, left, height, width) {
    const made = empty(height, width);
    const [first, last] = [Math.max(0, -left), Math.min(width, given.width - left)];
    for (let row = Math.max(0, -top); row < Math.min(height, given.height - top); row++) {
      const start = (top + row) * given.width + left;
      made.values.set(given.values.subarray(start + first, start + last), row * width + first);
    }
    return made;
  }

  function padded(given, by) {
    return part(given, -by, -by, given.height + 2 * by, given.width + 2 * by);
  }

  /* The part of the drawing that has ink, or null. */
  function cropped(drawing, edge) {
    const { height, width, values } = drawing;
    let [top, left, bottom, right] = [height, width, -1, -1];
    for (let row = 0, place = 0; row < height; row++) {
      for (let column = 0; column < width; column++, place++) {
        if (values[place] <= edge) continue;
        if (row < top) top = row;
        if (column < left) left = column;
        if (column > right) right = column;
        bottom = row;
      }
    }
    return bottom < 0 ? null : part(drawing, top, left, bottom - top + 1, right - left + 1);
  }

  /* The squared distance of each pixel to the nearest one that has ink, or that has none: first down the columns, then
     along each row by the lower envelope of parabolas (P. Felzenszwalb and D. Huttenlocher, "Distance transforms of
     sampled functions", 2012). */
  function squaredDistances({ height, width, values }, toInk) {
    const squared = new Float64Array(height * width);
    for (let column = 0; column < width; column++) {
      let distance = FAR;
      for (let place = column; place < squared.length; place += width) {
        distance = values[place] > 0.5 === toInk ? 0 : distance + 1;
        squared[place] = distance;
      }
      for (let place = squared.length - width + column; place >= 0; place -= width) {
        distance = Math.min(distance + 1, squared[place]);
        squared[place] = distance;
      }
    }
    for (let place = 0; place < squared.length; place++) squared[place] = Math.min(squared[place] ** 2, FAR);
    const line = new Float64Array(width);
    const vertices = new Int32Array(width);
    const starts = new Float64Array(width);
    for (let first = 0; first < squared.length; first += width) {
      line.set(squared.subarray(first, first + width));
      let last = 0;
      [vertices[0], starts[0]] = [0, -Infinity];
      for (let column = 1; column < width; column++) {
        let start;
        for (;;) {
          const vertex = vertices[last];
          start = (line[column] + column * column - line[vertex] - vertex * vertex) / (2 * (column - vertex));
          if (start > starts[last]) break;
          last--;
        }
        last++;
        vertices[last] = column;
        starts[last] = start;
      }
      for (let column = 0, current = 0; column < width; column++) {
        while (current < last && starts[current + 1] < column) current++;
        const away = column - vertices[current];
        squared[first + column] = away * away + line[vertices[current]];
      }
    }
    return squared;
  }

  /* The ink with strokes of at least a width, in pixels of the result. */
  function thickened(ink, { digitSize, minStrokeWidth }) {
    const unit = Math.max(ink.height, ink.width) / digitSize;
    let [sum, count] = [0, 0];
    for (const squared of squaredDistances(padded(ink, 1), false)) {
      sum += Math.sqrt(squared);
      if (squared) count++;
    }
    /* In a stroke of width w, the mean distance of the pixels from the edge is w / 4. */
    const width = 4 * (sum / count - 0.5) / unit;
    if (!(width < minStrokeWidth)) return ink;
    const missing = (minStrokeWidth - width) / 2 * unit;
    const wide = padded(ink, Math.floor(missing));
    const squared = squaredDistances(wide, true);
    for (let place = 0; place < squared.length; place++) {
      const added = Math.min(missing + 0.5 - Math.sqrt(squared[place]), 1);
      if (added > wide.values[place]) wide.values[place] = added;
    }
    return wide;
  }

  function roundedHalfToEven(value) {
    const floor = Math.floor(value);
    return value - floor === 0.5 ? floor + floor % 2 : Math.round(value);
  }

  /* Resamples each row to a number of pixels, and turns the image on its side. The weights are those of a sinc in a
     Hamming window, which lets finer detail than the result can hold vanish. */
  function resampled(given, result) {
    const turned = empty(result, given.height);
    const scale = given.width / result;
    const reach = Math.max(scale, 1);
    for (let place = 0; place < result; place++) {
      const centre = (place + 0.5) * scale;
      const first = Math.max(0, Math.floor(centre - reach - 0.5));
      const last = Math.min(given.width - 1, Math.ceil(centre + reach - 0.5));
      const weights = new Float64Array(last - first + 1);
      for (let offset = 0; offset < weights.length; offset++) {
        const distance = Math.abs(first + offset + 0.5 - centre) / reach;
        const sinc = distance ? Math.sin(Math.PI * distance) / (Math.PI * distance) : 1;
        if (distance < 1) weights[offset] = sinc * (0.54 + 0.46 * Math.cos(Math.PI * distance));
      }
      const all = weights.reduce((total, weight) => total + weight, 0);
      for (let row = 0; row < given.height; row++) {
        let sum = 0;
        for (let offset = 0; offset < weights.length; offset++) sum += weights[offset] * given.values[row * given.width + first + offset];
        turned.values[place * given.height + row] = sum / all;
      }
    }
    return turned;
  }

  function resized(ink, { digitSize }) {
    const scale = digitSize / Math.max(ink.height, ink.width);
    const [height, width] = [ink.height, ink.width].map((length) => Math.max(1, roundedHalfToEven(length * scale)));
    const small = resampled(resampled(ink, width), height);
    const largest = small.values.reduce((most, value) => Math.max(most, value), 0);
    small.values = small.values.map((value) => roundedHalfToEven(Math.min(Math.max(value / largest, 0), 1) * 255));
    return small;
  }

  function centred(ink, { imageSize }) {
    let [mass, down, across] = [0, 0, 0];
    ink.values.forEach((value, place) => {
      mass += value;
      down += value * Math.floor(place / ink.width);
      across += value * (place % ink.width);
    });
    const corner = (centre, length) => Math.min(Math.max(Math.floor(imageSize / 2 - centre + 0.5), 0), imageSize - length);
    const [top, left] = [corner(down / mass, ink.height), corner(across / mass, ink.width)];
    return Uint8Array.from(part(ink, -top, -left, imageSize, imageSize).values);
  }

  /* amounts: ink from 0 to 1, row by row. Returns the pixels, or null if nothing is drawn. */
  function digit(amounts, height, width, settings) {
    const ink = cropped({ height, width, values: amounts }, settings.edge);
    return ink && centred(resized(thickened(ink, settings), settings), settings);
  }

  return { digit };
})();
