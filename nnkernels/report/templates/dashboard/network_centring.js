"use strict";
/* A drawing in MNIST's form, as nnkernels.transforms makes it of a photo: strokes thick enough, 20 pixels on the longer
   side, and the centre of mass at the centre of 28 x 28 pixels. */
const networkCentring = (() => {
  const FAR = 1e12; // a squared distance beyond that in any drawing

  function image(height, width, value = () => 0) {
    const made = { height, width, values: new Float64Array(height * width) };
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) made.values[row * width + column] = value(row, column);
    }
    return made;
  }

  /* The value at a pixel, 0 outside. */
  function at({ height, width, values }, row, column) {
    return row >= 0 && row < height && column >= 0 && column < width ? values[row * width + column] : 0;
  }

  function padded(given, by) {
    return image(given.height + 2 * by, given.width + 2 * by, (row, column) => at(given, row - by, column - by));
  }

  /* The part of the drawing that has ink, or null. */
  function cropped(drawing, edge) {
    let [top, left, bottom, right] = [Infinity, Infinity, -1, -1];
    drawing.values.forEach((value, place) => {
      if (value <= edge) return;
      const row = Math.floor(place / drawing.width);
      const column = place % drawing.width;
      [top, left] = [Math.min(top, row), Math.min(left, column)];
      [bottom, right] = [Math.max(bottom, row), Math.max(right, column)];
    });
    if (bottom < 0) return null;
    return image(bottom - top + 1, right - left + 1, (row, column) => at(drawing, top + row, left + column));
  }

  /* The squared distance to the nearest zero along a line of squared distances: the lower envelope of parabolas
     (P. Felzenszwalb and D. Huttenlocher, "Distance transforms of sampled functions", 2012). */
  function envelope(line) {
    const vertices = [0];
    const starts = [-Infinity];
    const meet = (one, two) => ((line[two] + two * two) - (line[one] + one * one)) / (2 * (two - one));
    for (let place = 1; place < line.length; place++) {
      let start = meet(vertices.at(-1), place);
      while (start <= starts.at(-1)) {
        vertices.pop();
        starts.pop();
        start = meet(vertices.at(-1), place);
      }
      vertices.push(place);
      starts.push(start);
    }
    let current = 0;
    return line.map((_value, place) => {
      while (starts[current + 1] < place) current++;
      return (place - vertices[current]) ** 2 + line[vertices[current]];
    });
  }

  /* The distance of each pixel to the nearest pixel that fulfils a condition. */
  function distances({ height, width, values }, fulfils) {
    const squared = Float64Array.from(values, (value) => fulfils(value) ? 0 : FAR);
    for (let column = 0; column < width; column++) {
      const line = Float64Array.from({ length: height }, (_, row) => squared[row * width + column]);
      envelope(line).forEach((value, row) => { squared[row * width + column] = value; });
    }
    for (let row = 0; row < height; row++) {
      squared.set(envelope(squared.subarray(row * width, (row + 1) * width)), row * width);
    }
    return squared.map(Math.sqrt);
  }

  /* The ink with strokes of at least a width, in pixels of the result. */
  function thickened(ink, { digitSize, minStrokeWidth }) {
    const unit = Math.max(ink.height, ink.width) / digitSize;
    const framed = padded(ink, 1);
    let [sum, count] = [0, 0];
    distances(framed, (value) => value <= 0.5).forEach((distance) => {
      if (distance) [sum, count] = [sum + distance, count + 1];
    });
    /* In a stroke of width w, the mean distance of the pixels from the edge is w / 4. */
    const width = 4 * (sum / count - 0.5) / unit;
    if (!(width < minStrokeWidth)) return ink;
    const missing = (minStrokeWidth - width) / 2 * unit;
    const wide = padded(ink, Math.floor(missing));
    const distance = distances(wide, (value) => value > 0.5);
    wide.values.forEach((value, place) => {
      wide.values[place] = Math.max(value, Math.min(Math.max(missing + 0.5 - distance[place], 0), 1));
    });
    return wide;
  }

  function roundedHalfToEven(value) {
    const floor = Math.floor(value);
    return value - floor === 0.5 ? floor + floor % 2 : Math.round(value);
  }

  /* For each pixel of the result, the first pixel that contributes to it, and the weights from there on: a sinc in a
     Hamming window, which lets finer detail than the result can hold vanish. */
  function resampling(length, result) {
    const scale = length / result;
    const reach = Math.max(scale, 1);
    return Array.from({ length: result }, (_, place) => {
      const centre = (place + 0.5) * scale;
      const first = Math.max(0, Math.floor(centre - reach - 0.5));
      const last = Math.min(length - 1, Math.ceil(centre + reach - 0.5));
      const weights = Array.from({ length: last - first + 1 }, (_each, offset) => {
        const distance = Math.abs(first + offset + 0.5 - centre) / reach;
        if (distance >= 1) return 0;
        const sinc = distance ? Math.sin(Math.PI * distance) / (Math.PI * distance) : 1;
        return sinc * (0.54 + 0.46 * Math.cos(Math.PI * distance));
      });
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return { first, weights: weights.map((weight) => weight / sum) };
    });
  }

  function resized(ink, { digitSize }) {
    const scale = digitSize / Math.max(ink.height, ink.width);
    const [height, width] = [ink.height, ink.width].map((length) => Math.max(1, roundedHalfToEven(length * scale)));
    const [down, across] = [resampling(ink.height, height), resampling(ink.width, width)];
    const sum = ({ first, weights }, value) => weights.reduce((total, weight, offset) => total + weight * value(first + offset), 0);
    const narrow = image(ink.height, width, (row, column) => sum(across[column], (place) => at(ink, row, place)));
    const small = image(height, width, (row, column) => sum(down[row], (place) => at(narrow, place, column)));
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
    return Uint8Array.from(image(imageSize, imageSize, (row, column) => at(ink, row - top, column - left)).values);
  }

  /* amounts: ink from 0 to 1, row by row. Returns the pixels, or null if nothing is drawn. */
  function digit(amounts, height, width, settings) {
    const ink = cropped({ height, width, values: amounts }, settings.edge);
    return ink && centred(resized(thickened(ink, settings), settings), settings);
  }

  return { digit };
})();
