"use strict";
/* The parameters of the network, and its forward pass in float64: that of nnkernels.kernels.numpy_kernels. */
const networkModel = (() => {
  const NAMES = ["W1", "b1", "W2", "b2"];

  function bytes(text) {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  }

  function sizes({ inputs, hidden, classes }) {
    return [inputs * hidden, hidden, hidden * classes, classes];
  }

  /* Four arrays, one after the other. */
  function split(values, shape) {
    let start = 0;
    const arrays = sizes(shape).map((size) => values.subarray(start, start += size));
    return Object.fromEntries(NAMES.map((name, place) => [name, arrays[place]]));
  }

  /* Base64 of little-endian float32, whatever the order of bytes on this computer. */
  function decode(text, shape) {
    const view = new DataView(bytes(text).buffer);
    return split(Float32Array.from({ length: view.byteLength / 4 }, (_, place) => view.getFloat32(4 * place, true)), shape);
  }

  /* Base64 of bytes; those of each array stand for offset + scale * byte. */
  function decodeBytes({ text, offsets, scales }, shape) {
    const arrays = Object.values(split(bytes(text), shape));
    return Object.fromEntries(arrays.map((values, place) => [
      NAMES[place], Float32Array.from(values, (value) => offsets[place] + scales[place] * value)]));
  }

  function layer(inputs, weights, biases) {
    const outputs = Float64Array.from(biases);
    inputs.forEach((input, row) => {
      if (input) for (let column = 0; column < outputs.length; column++) outputs[column] += input * weights[row * outputs.length + column];
    });
    return outputs;
  }

  /* Pixels from 0 to 255. Softmax subtracts the maximum, so that no power overflows. */
  function forward({ W1, b1, W2, b2 }, pixels) {
    const hidden = layer(Float64Array.from(pixels, (pixel) => pixel / 255), W1, b1).map((value) => Math.max(0, value));
    const logits = layer(hidden, W2, b2);
    const largest = Math.max(...logits);
    const powers = logits.map((value) => Math.exp(value - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return { hidden, logits, probs: powers.map((power) => power / sum) };
  }

  return { bytes, decode, decodeBytes, forward };
})();
