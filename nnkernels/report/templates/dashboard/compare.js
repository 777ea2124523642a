"use strict";
/* The comparison of a chosen machine, run, work, thread setting and reference. Its state is the hash, for example
   #compare?work=one+image&ref=keras-fit; what equals the default is left out. */
(() => {
  const form = document.getElementById("compare-form");
  if (!form) return;
  const given = nnkernels.data("compare");
  const table = document.getElementById("compare-table");
  const notes = document.getElementById("compare-notes");
  const figure = document.getElementById("chart-compare");
  const sentence = figure.querySelector("figcaption p");
  const fields = ["machine", "run", "work", "threads", "ref", "show"];
  const selects = Object.fromEntries(fields.map((name) => [name, form.elements[name]]));
  const link = document.querySelector('nav a[href^="#compare"]');
  const threadsText = { faster: "each at its faster thread setting", 1: "each on 1 thread", all: "each on all threads" };
  /* The fields of a cell of the payload. */
  const [TEXT, INTERVAL, VALUE, LOW, HIGH, SAMPLES, THREADS, , IS_FASTER] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  let current;

  form.hidden = false;
  sentence.setAttribute("aria-live", "polite");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const name of fields) selects[name].addEventListener("change", () => change(name));
  addEventListener("popstate", restore);
  if (location.hash.startsWith("#compare?")) {
    restore();
    addEventListener("load", () => document.getElementById("compare").scrollIntoView());
  } else {
    fill({});
  }

  async function change(name) {
    const wanted = Object.fromEntries(fields.map((field) => [field, selects[field].value]));
    if (name === "machine") delete wanted.run;
    await update(wanted);
    history.pushState(null, "", hash());
  }

  /* Shows what the hash asks for, without a hash the default. Other anchors leave the comparison as it is. */
  async function restore() {
    const [anchor, query] = location.hash.split("?");
    if (anchor && anchor !== "#compare") return;
    await update(Object.fromEntries(new URLSearchParams(query ?? "")));
  }

  async function update(wanted) {
    let state;
    try {
      state = await fill(wanted);
    } catch (error) {
      sentence.textContent = error.message;
      return;
    }
    if (link) link.setAttribute("href", hash());
    const isDefault = hash() === "#compare";
    if (isDefault && !current) return;
    current = state;
    await show(state);
  }

  /* Fills the selects with what there is for the choices above them, and keeps a wanted choice that exists. */
  async function fill(wanted) {
    const same = (one) => ({ ...one, id: one.dataset === given.machines[0].dataset ? one.id : `${one.id}/${one.dataset}` });
    const machine = choose("machine", given.machines.map(same), wanted.machine, given.first);
    const run = choose("run", machine.runs.map((id) => ({ id, label: given.runs[id].label })), wanted.run, machine.shown);
    selects.run.title = run.id; // the label does not name the commit
    const data = given.runs[run.id].file ? await nnkernels.load(given.runs[run.id].file) : given.runs[run.id];
    if (!data.works.length) throw new Error(`The run of ${run.label} has no paired ratios.`);
    const work = choose("work", data.works.map((one) => ({ ...one, id: one.name, label: one.name })), wanted.work, data.works[0].name);
    const views = Object.keys(work.ratios).map((id) => ({ id, label: threadsText[id]?.replace("thread setting", "setting") ?? id }));
    const threads = choose("threads", views, wanted.threads, "faster");
    const ref = choose("ref", work.references.map((id) => ({ id, label: id })), wanted.ref, given.baseline);
    const unit = `time ${work.unit}`.trim();
    const shown = choose("show", [{ id: "ratio", label: "times as fast as the reference" }, { id: "seconds", label: unit }], wanted.show, "ratio");
    const notes = [given.runs[run.id].note && `This run is not part of the history: ${given.runs[run.id].note}.`,
      data.summarised && "Of this older run, only the main comparisons are kept here; nnkernels results shows all."];
    return { machine, work, unit, threads: threads.id, ref: ref.id, show: shown.id, samples: data.samples, notes: notes.filter(Boolean) };
  }

  function choose(field, options, wanted, usual) {
    const found = options.find(({ id }) => id === wanted) ?? options.find(({ id }) => id === usual) ?? options[0];
    selects[field].replaceChildren(...options.map(({ id, label }) => new Option(label, id, id === usual, id === found.id)));
    selects[field].disabled = options.length < 2;
    return found;
  }

  function hash() {
    const query = new URLSearchParams();
    for (const field of fields) {
      const usual = [...selects[field].options].find((option) => option.defaultSelected);
      if (usual && usual.value !== selects[field].value) query.set(field, selects[field].value);
    }
    return query.size ? `#compare?${query}` : "#compare";
  }

  /* A row for each contender, with the cells of its ratio and its seconds, and why there is no ratio. */
  function rows({ work, threads, ref, show }) {
    const at = (place) => place < 0 ? [undefined, work.reasons[-1 - place]] : [work.cells[place], ""];
    const reference = work.references.indexOf(ref);
    const found = work.contenders.map((name, index) => {
      const [ratio, reason] = at(work.ratios[threads][reference][index]);
      const [seconds] = at(work.seconds[threads][index]);
      return { name, kind: given.contenders[name].kind, seconds, ratio, reason, star: ratio && !ratio[IS_FASTER] ? "*" : "" };
    });
    const key = (row) => row[show] ? (show === "ratio" ? -row.ratio[VALUE] : row.seconds[VALUE]) : Number.MAX_VALUE;
    return found.sort((one, two) => key(one) - key(two));
  }

  async function show(state) {
    const found = rows(state);
    const shown = found.filter((row) => row[state.show]);
    fillTable(found, state);
    sentence.textContent = describe(shown, found, state);
    document.getElementById("text-compare").textContent =
      `Intervals on a logarithmic axis; the table below has the same numbers. ${sentence.textContent}`;
    document.getElementById("compare-spread").hidden = true;
    notes.replaceChildren(...noteTexts(found, state).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    if (shown.length) await nnkernels.show("compare", chart(shown, state));
  }

  function describe(shown, found, { ref, show, work, machine, threads }) {
    const where = `${work.name[0].toUpperCase()}${work.name.slice(1)} on ${machine.label}, ${threadsText[threads] ?? threads}`;
    const without = found.filter((row) => !row[show]).map(({ name }) => name);
    const missing = without.length ? ` Without a number: ${without.join(", ")}.` : "";
    if (!shown.length) return `${where}: nothing was timed in the same process as ${ref}.${missing}`;
    const [{ name, [show]: cell }] = shown;
    const number = `${cell[TEXT]} ${cell[INTERVAL]}`.trim();
    const result = show === "ratio" ? `is the fastest, ${number} times as fast as ${ref}` : `takes the least time, ${number}${work.unit && ` ${work.unit}`}`;
    return `${where}: ${name} ${result}.${missing}`;
  }

  function noteTexts(found, { ref, work, samples, notes }) {
    const texts = [...notes, ...found.filter((row) => row.reason).map((row) => `${row.name}: ${row.reason}.`)];
    if (found.some((row) => row.star)) texts.push(`A star marks a ratio to ${ref} at its slower thread setting, because no process timed both at the faster one.`);
    if (work.disturbed) texts.push(`${work.disturbed}.`);
    return [...texts, `Brackets show 95 % confidence intervals over ${samples}.`];
  }

  function chart(shown, { show, ref, unit }) {
    const spec = nnkernels.spec("compare");
    const data = shown.map((row, index) => {
      const cell = row[show];
      const star = show === "ratio" ? row.star : "";
      return {
        id: String(index).padStart(3, "0") + row.name, label: row.name, kind: row.kind,
        value: cell[VALUE], low: cell[LOW] ?? cell[VALUE], high: cell[HIGH] ?? cell[VALUE], text: cell[TEXT] + star,
        detail: `${row.name}: ${cell[TEXT]} ${cell[INTERVAL]}, n = ${cell[SAMPLES]}`,
      };
    });
    const ends = data.flatMap(({ low, high }) => [low, high]);
    if (show === "ratio") ends.push(1);
    spec.datasets.rows = data;
    spec.height = given.step * data.length;
    spec.params.find(({ name }) => name === "ticks").value = ticks(Math.min(...ends), Math.max(...ends));
    const axes = spec.layer.filter((layer) => layer.encoding.x?.axis).map((layer) => layer.encoding.x.axis);
    for (const axis of axes) {
      axis.title = show === "ratio" ? `times as fast as ${ref} (log)` : `${unit} (log)`;
      axis.labelExpr = given.tickLabels[show];
    }
    if (show === "seconds") spec.layer = spec.layer.filter((layer) => layer.encoding.x?.datum === undefined);
    return spec;
  }

  function ticks(low, high) {
    const within = given.ticks.map((values) => values.filter((value) => value >= low * 0.95 && value <= high * 1.05));
    return within.find((values) => values.length <= given.mostTicks) ?? within.at(-1);
  }

  function fillTable(found, { ref, unit }) {
    const headings = [...table.tHead.rows[0].cells];
    const names = headings.map((heading) => heading.dataset.name);
    const titles = { ratio: `x ${ref}`, seconds: unit };
    headings.forEach((heading, index) => { (heading.querySelector("button") ?? heading).textContent = titles[names[index]] ?? heading.dataset.title; });
    table.tBodies[0].replaceChildren(...found.map((row) => {
      const { ratio, seconds } = row;
      const cells = {
        name: [row.name], kind: [row.kind], threads: [seconds?.[THREADS] ?? "-"], n: [ratio?.[SAMPLES] ?? "-"],
        ratio: [ratio ? ratio[TEXT] + row.star : "-", ratio?.[VALUE] ?? "-"], "ratio-interval": [ratio?.[INTERVAL] || "-"],
        seconds: [seconds?.[TEXT] ?? "-", seconds?.[VALUE] ?? "-"], "seconds-interval": [seconds?.[INTERVAL] || "-"],
      };
      const line = document.createElement("tr");
      line.append(...names.map((name, index) => {
        const cell = document.createElement(index ? "td" : "th");
        if (!index) cell.scope = "row";
        cell.className = headings[index].className;
        cell.dataset.label = titles[name] ?? headings[index].dataset.title;
        const [text, key] = cells[name];
        cell.textContent = text;
        if (key !== undefined) cell.dataset.sort = key;
        return cell;
      }));
      return line;
    }));
    nnkernels.unsorted(table);
  }
})();
