"use strict";
/* The trained network in the page: what is drawn goes through it at once, with the parameters of any recorded step. */
(() => {
  const section = document.getElementById("network");
  if (!section?.querySelector("#network-live")) return;
  const given = nnkernels.data("network");
  const { shape, classes, image } = given;
  const find = (name) => document.getElementById(`network-${name}`);
  const [bestName, words, spoken, hiddenList, outputList, seen] = ["best", "words", "spoken", "hidden", "outputs", "seen"].map(find);
  const percent = (value) => { // with spaces that do not break
    if (value >= 0.9995 && value < 1) return ">\u00a099.9\u00a0%";
    return value > 0 && value < 0.0005 ? "<\u00a00.1\u00a0%" : `${(100 * value).toFixed(1)}\u00a0%`;
  };
  const bar = () => Object.assign(document.createElement("span"), { className: "bar" });
  const text = (name) => Object.assign(document.createElement("span"), { className: name });
  const units = Array.from({ length: shape.hidden }, (_, place) => row(hiddenList, `unit ${place + 1}`));
  const outputs = classes.map((name) => row(outputList, name));
  let parameters; // those of the chosen step
  let limit = given.limit;
  let pixels = null; // what the network sees
  let digit = null; // the recorded digit, if one is shown
  let drawing, gallery;

  async function start() {
    const weights = given.weights ?? await nnkernels.load(given.file);
    parameters = networkModel.decode(weights, shape);
    find("live").hidden = false;
    section.classList.add("is-live");
    startDrawing();
    if (given.gallery) gallery = networkGallery({ ...given.gallery, classes, image }, choose);
    if (given.steps) startSteps();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    repaint();
  }

  function startDrawing() {
    const settings = given.drawing;
    const canvas = find("canvas");
    drawing = networkDrawing(canvas, find("pen"), {
      width: settings.pen, step: settings.step, said: (said) => { spoken.textContent = said; },
      changed: (isFinished) => {
        digit = null;
        if (isFinished) see(true);
        else soon();
      },
    });
    find("clear").addEventListener("click", () => { drawing.clear(); canvas.focus({ preventScroll: true }); });
    drawing.show(settings.example);
  }

  /* Once in a frame, however often the pen moves. */
  let isWaiting = false;
  function soon() {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; see(false); });
  }

  function see(isFinished) {
    const canvas = find("canvas");
    pixels = networkCentring.digit(drawing.amounts(), canvas.height, canvas.width, given.drawing);
    showSeen();
    respond(isFinished);
  }

  function showSeen() {
    networkPictures.ink(pixels ?? new Uint8Array(image[0] * image[1]), image, seen);
  }

  /* Shows a recorded digit, exactly as it was recorded. */
  function load(chosen) {
    drawing.showPicture(networkPictures.ink(chosen.pixels, image));
    [digit, pixels] = [chosen, chosen.pixels];
    showSeen();
    respond(true);
  }

  /* A digit of the gallery, which is further down the page. */
  function choose(chosen) {
    load(chosen);
    section.scrollIntoView();
    find("canvas").focus({ preventScroll: true });
  }

  function row(list, name) {
    const item = document.createElement("li");
    const parts = { name: text("name"), bar: bar(), value: text("value") };
    parts.name.textContent = name;
    item.append(parts.name, parts.bar, parts.value);
    list.append(item);
    return { item, ...parts };
  }

  function respond(isFinished) {
    const result = pixels && networkModel.forward(parameters, pixels);
    const most = result ? Math.max(...result.hidden) : 0;
    units.forEach((unit, place) => {
      const value = result?.hidden[place] ?? 0;
      set(unit, most && value / most, result ? value.toFixed(2) : "-", value > 0);
    });
    const best = result ? result.probs.indexOf(Math.max(...result.probs)) : -1;
    outputs.forEach((output, place) => set(output, result?.probs[place] ?? 0, result ? percent(result.probs[place]) : "-", place === best));
    bestName.textContent = result ? classes[best] : "";
    words.textContent = result ? sentence(result, best) : given.invitation;
    if (isFinished) spoken.textContent = words.textContent;
  }

  function set({ item, bar: line, value }, share, number, isOn) {
    line.style.setProperty("--share", share);
    value.textContent = number;
    item.classList.toggle("is-on", isOn);
  }

  function sentence({ probs }, best) {
    const second = probs.reduce((found, value, place) => place !== best && (found < 0 || value > probs[found]) ? place : found, -1);
    const what = digit ? `${digit.text}. ` : "";
    const next = second < 0 ? "" : `, then ${classes[second]} (${percent(probs[second])})`;
    return `${what}The network reads ${classes[best]} (${percent(probs[best])})${next}.`;
  }

  /* The training: its steps are in a file beside the page, loaded when the slider is first moved. */
  function startSteps() {
    const slider = find("step");
    const play = find("play");
    const final = parameters;
    let timer = null;

    slider.addEventListener("input", () => { stop(); showStep(); });
    play.addEventListener("click", () => {
      if (timer !== null) { stop(); return; }
      slider.value = Number(slider.value) === given.steps.length - 1 ? 0 : slider.value;
      play.textContent = "Stop";
      timer = setInterval(forwards, given.pause);
      showStep();
    });

    function forwards() {
      slider.value = Number(slider.value) + 1;
      showStep();
      if (Number(slider.value) === given.steps.length - 1) stop();
    }

    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play the training";
    }

    async function showStep() {
      const place = Number(slider.value);
      const step = given.steps[place];
      try {
        const recorded = place < given.steps.length - 1 && (await nnkernels.load(given.stepsFile))[place];
        if (place !== Number(slider.value)) return;
        parameters = recorded ? networkModel.decodeBytes(recorded, shape) : final;
      } catch (error) {
        stop();
        find("step-text").textContent = error.message;
        return;
      }
      limit = step.limit;
      find("step-text").textContent = step.text;
      find("scale").textContent = step.scale;
      slider.setAttribute("aria-valuetext", step.label);
      paintUnits();
      respond(false);
    }
  }

  function paintUnits() {
    units.forEach(({ item }, place) => {
      const canvas = networkPictures.weights(parameters.W1, place, shape.hidden, limit, image, item.querySelector("canvas") ?? undefined);
      if (!canvas.isConnected) item.prepend(canvas);
    });
  }

  function repaint() {
    paintUnits();
    drawing.paint();
    showSeen();
    gallery?.repaint();
    respond(false);
  }

  find("example")?.addEventListener("click", async () => {
    const found = await gallery?.next();
    if (found) load(found);
  });
  start().catch((error) => { find("failed").hidden = false; find("failed").textContent = error.message; });
})();
