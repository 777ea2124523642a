"use strict";
/* Another series of a machine's history. All series are in a file beside the page, loaded when one is chosen. */
(() => {
  for (const { chart, file, titles, first } of nnkernels.data("history").machines) {
    const form = document.querySelector(`form[data-chart="${chart}"]`);
    const select = form.querySelector("select");
    const sentence = document.querySelector(`#chart-${chart} figcaption p`);
    select.replaceChildren(...titles.map((title, index) => new Option(title, index, index === first, index === first)));
    form.hidden = titles.length < 2;
    form.addEventListener("submit", (event) => event.preventDefault());
    sentence.setAttribute("aria-live", "polite");
    select.addEventListener("change", async () => {
      try {
        const series = (await nnkernels.load(file))[select.value];
        const spec = nnkernels.spec(chart);
        spec.datasets.points = series.points;
        for (const { encoding } of spec.layer) if (encoding.y?.title) encoding.y.title = series.axis;
        sentence.textContent = series.sentence;
        document.getElementById(`text-${chart}`).textContent = series.sentence;
        await nnkernels.show(chart, spec);
      } catch (error) {
        sentence.textContent = error.message;
      }
    });
  }
})();
