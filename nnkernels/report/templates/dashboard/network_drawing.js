"use strict";
/* A canvas to draw on with a mouse, a finger, a pen or the keyboard.
     networkDrawing(canvas, pen, { width, step, changed, said })
   pen is the element that marks the place of the keyboard's pen; width and step are those of the pen in pixels;
   changed(finished) is called after each change, said(text) with what only a screen reader would miss. */
const networkDrawing = (canvas, pen, { width, step, changed, said }) => {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  let strokes = [];
  let backdrop = null; // an example, which the first stroke replaces
  let pointer = null;
  let isDown = false;
  let place = [canvas.width / 2, canvas.height / 2];

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    lift();
    pen.hidden = true;
    begin(position(event));
    redraw(false);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const one of between.length ? between : [event]) strokes.at(-1).push(position(one));
    redraw(false);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      redraw(true);
    });
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow) move(arrow);
    else if (event.key === " ") toggle();
    else if (event.key === "Escape") clear();
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => { lift(); pen.hidden = true; });

  function position(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
  }

  function begin(point) {
    backdrop = null;
    strokes.push([point]);
  }

  function move(arrow) {
    const sides = [canvas.width, canvas.height];
    place = place.map((value, axis) => Math.min(Math.max(value + arrow[axis] * step, width / 2), sides[axis] - width / 2));
    if (isDown) {
      strokes.at(-1).push(place);
      redraw(false);
    }
    showPen();
  }

  function toggle() {
    if (isDown) {
      lift();
      said("Pen lifted.");
    } else {
      isDown = true;
      begin(place);
      redraw(false);
      said("Pen down.");
    }
    showPen();
  }

  function lift() {
    if (isDown) {
      isDown = false;
      redraw(true);
    }
  }

  function showPen() {
    pen.hidden = false;
    pen.classList.toggle("is-down", isDown);
    pen.style.left = `${100 * place[0] / canvas.width}%`;
    pen.style.top = `${100 * place[1] / canvas.height}%`;
  }

  function replace(example) {
    isDown = false;
    pointer = null;
    pen.classList.remove("is-down");
    [strokes, backdrop] = [[], example];
  }

  function clear() {
    replace(null);
    redraw(true);
  }

  /* Shows strokes, each a list of points, as an example. */
  function show(lines) {
    replace({ lines });
    redraw(true);
  }

  /* Shows a picture of any size, which is not ink: it counts as no change. */
  function showPicture(picture) {
    replace({ lines: [], picture });
    paint();
  }

  function redraw(isFinished) {
    paint();
    changed(isFinished);
  }

  function paint() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.lineWidth = width;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(canvas).color;
    if (backdrop?.picture) {
      context.imageSmoothingEnabled = false;
      context.drawImage(backdrop.picture, 0, 0, canvas.width, canvas.height);
    }
    for (const line of [...strokes, ...backdrop?.lines ?? []]) paintLine(line);
  }

  /* A curve that runs through the middles between points, so that few points make no corners. */
  function paintLine(line) {
    context.beginPath();
    context.moveTo(...line[0]);
    line.slice(1).forEach(([x, y], index) => {
      const [beforeX, beforeY] = line[index];
      context.quadraticCurveTo(beforeX, beforeY, (beforeX + x) / 2, (beforeY + y) / 2);
    });
    const [lastX, lastY] = line.at(-1);
    context.lineTo(lastX + 0.01, lastY); // a dot, if there is one point
    context.stroke();
  }

  /* The ink of each pixel from 0 to 1. */
  function amounts() {
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const found = new Float64Array(data.length / 4);
    for (let index = 0; index < found.length; index++) found[index] = data[4 * index + 3] / 255;
    return found;
  }

  return { amounts, clear, paint, show, showPicture };
};
