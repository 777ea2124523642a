"use strict";
/* Another series of a machine's history. All series are in a file beside the page, loaded when one is chosen. */
(() => {
  const id = (place, label) => String(place).padStart(4, "0") + label;

  function points(series, { runs, verdicts }) {
    const data = series.points.map(([run, value, low, high, bandLow, bandHigh, judged, segment, text, breaks], place) => ({
      id: id(place, runs[run].slice(5, 10)), value, low, high, bandLow, bandHigh, segment, breaks, verdict: verdicts[judged],
      detail: `${runs[run]}: ${text}; ${verdicts[judged]}${breaks && `; changed since: ${breaks}`}`,
    }));
    if (series.next) {
      const [bandLow, bandHigh, detail] = series.next;
      data.push({ id: id(data.length, "next"), detail, breaks: "", bandLow, bandHigh });
    }
    return data;
  }

  for (const { chart, file, names, first } of nnkernels.data("history").machines) {
    const form = document.querySelector(`form[data-chart="${chart}"]`);
    const select = form.querySelector("select");
    const sentence = document.querySelector(`#chart-${chart} figcaption p`);
    select.replaceChildren(...names.map((name, index) => new Option(name, index, index === first, index === first)));
    form.hidden = names.length < 2;
    form.addEventListener("submit", (event) => event.preventDefault());
    sentence.setAttribute("aria-live", "polite");
    select.addEventListener("change", async () => {
      try {
        const all = await nnkernels.load(file);
        const series = all.series[select.value];
        const spec = nnkernels.spec(chart);
        spec.datasets.points = points(series, all);
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
