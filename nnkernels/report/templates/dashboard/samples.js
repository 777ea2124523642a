"use strict";
/* Strip plots of a chosen run, work and contender. The samples are in files beside the page, loaded on demand. */
(() => {
  const form = document.getElementById("samples-form");
  if (!form) return;
  const { specs, stripHeight } = nnkernels.data("samples");
  const status = document.getElementById("samples-status");
  const figure = document.getElementById("samples-figure");
  const { run, work, contender, axis } = form.elements;
  const legend = document.getElementById("samples-legend");
  const states = ["counted", "disturbed, left out", "disturbed, kept"];
  let loaded;

  form.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); load(); });
  run.addEventListener("change", () => { if (loaded) load(); });
  work.addEventListener("change", () => { fillContenders(); draw(); });
  contender.addEventListener("change", draw);
  axis.addEventListener("change", draw);

  async function load() {
    say("Loading the samples.");
    const key = run.value;
    try {
      const found = await nnkernels.load(key);
      if (key !== run.value) return;
      loaded = found;
    } catch (error) {
      hide();
      say(error.message);
      return;
    }
    fill(work, loaded.works.map((one) => one.name));
    fillContenders();
    axis.disabled = !loaded.full;
    for (const label of form.querySelectorAll("label")) label.hidden = false;
    await draw();
  }

  function fillContenders() {
    fill(contender, chosenWork().contenders.map((one) => one.text));
  }

  /* Keeps the choice if the new run or work has it too. */
  function fill(select, texts) {
    const before = select.value;
    select.replaceChildren(...texts.map((text) => new Option(text)));
    if (texts.includes(before)) select.value = before;
    select.disabled = !texts.length;
  }

  function chosenWork() {
    return loaded.works[work.selectedIndex] ?? { contenders: [] };
  }

  async function draw() {
    const chosen = chosenWork().contenders[contender.selectedIndex];
    if (!chosen) {
      hide();
      say("This run has no samples of this work.");
      return;
    }
    const spec = structuredClone(specs[loaded.full ? axis.value : "quartiles"]);
    spec.datasets = { ...spec.datasets, samples: chosen.samples.map(loaded.full ? sample : quartiles) };
    spec.height ??= stripHeight * new Set(chosen.samples.map((one) => one[0])).size;
    const text = `${chosen.text}, ${work.value}: ${chosen.sentence}`;
    say(text);
    figure.hidden = false;
    legend.hidden = !loaded.full;
    figure.setAttribute("aria-label", `Samples of ${chosen.text}, ${work.value}`);
    await nnkernels.draw(figure, spec);
  }

  function sample([process, round, segment, turn, seconds, text, state]) {
    return { process, round, segment, turn, seconds, text, state: states[state] };
  }

  function quartiles([process, low, median, high]) {
    return { process, low, median, high };
  }

  function hide() {
    figure.hidden = true;
    legend.hidden = true;
  }

  function say(text) {
    status.hidden = false;
    status.textContent = text;
  }
})();
