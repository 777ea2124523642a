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
  const threadsText = { best: "the faster setting of each", 1: "1 thread", all: "all threads" };
  let current;

  form.hidden = false;
  sentence.setAttribute("aria-live", "polite");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const name of fields) selects[name].addEventListener("change", () => change(name));
  addEventListener("popstate", restore);
  if (location.hash.startsWith("#compare?")) {
    restore();
    document.getElementById("compare").scrollIntoView();
  } else {
    fill({});
  }

  async function change(name) {
    const wanted = Object.fromEntries(fields.map((field) => [field, selects[field].value]));
    if (name === "machine") delete wanted.run;
    await update(wanted);
    history.pushState(null, "", hash());
  }

  /* Shows what the hash asks for. Other hashes leave the comparison as it is. */
  async function restore() {
    const [anchor, query] = location.hash.split("?");
    if (anchor !== "#compare") return;
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
    const machine = choose("machine", given.machines, wanted.machine, given.machines[0].id);
    const run = choose("run", machine.runs, wanted.run, machine.runs[0].id);
    const data = given.runs[run.id] ?? await nnkernels.load(run.file);
    const work = choose("work", data.works, wanted.work, data.works[0].id);
    const threads = choose("threads", ["best", ...data.threads].map((id) => ({ id, label: threadsText[id] ?? id })), wanted.threads, "best");
    const ref = choose("ref", work.contenders.map(({ name }) => ({ id: name, label: name })), wanted.ref, work.reference);
    const shown = choose("show", [{ id: "ratio", label: "times as fast as the reference" }, { id: "seconds", label: work.unit }], wanted.show, "ratio");
    return { machine, run, work, threads: threads.id, ref: ref.id, show: shown.id };
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

  /* A row for each contender: label, estimates of ratio and seconds ([value, low, high, text, interval, n]), and why there is none. */
  function rows({ work, threads, ref, show }) {
    const faster = Object.fromEntries(work.contenders.map((one) => [one.name, one.faster]));
    const setting = (name) => threads === "best" ? faster[name] : threads;
    const others = threads === "best" ? [setting(ref), ...Object.keys(threadsText)] : [threads];
    const found = work.contenders.map(({ name, kind }) => {
      const label = `${name}@${setting(name)}`;
      const seconds = work.seconds[label];
      const other = others.find((one) => work.ratios[label]?.[`${ref}@${one}`]);
      const ratio = work.ratios[label]?.[`${ref}@${other}`];
      const star = other !== undefined && threads === "best" && other !== setting(ref);
      const reason = !seconds ? `not timed on ${threadsText[threads] ?? threads}` : !ratio ? `never timed in the same process as ${ref}` : "";
      return { name, kind, threads: setting(name), seconds, ratio, star, reason };
    });
    const by = show === "ratio" ? (row) => row.ratio ? -row.ratio[0] : Infinity : (row) => row.seconds ? row.seconds[0] : Infinity;
    return found.sort((one, two) => by(one) - by(two) || 0);
  }

  async function show(state) {
    const found = rows(state);
    const shown = found.filter((row) => row[state.show]);
    fillTable(found, state);
    sentence.textContent = describe(shown, found, state);
    document.getElementById("text-compare").textContent =
      `Intervals on a logarithmic axis; the table below has the same numbers. ${sentence.textContent}`;
    notes.replaceChildren(...noteTexts(found, state).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    if (shown.length) await nnkernels.show("compare", chart(shown, state));
  }

  function describe(shown, found, { ref, show, work, machine, threads }) {
    if (!shown.length) return `${work.label} on ${machine.label}: nothing was timed in the same process as ${ref}.`;
    const best = shown[0];
    const [, , , text, interval] = best[show];
    const where = `${work.label} on ${machine.label}, ${threadsText[threads] ?? threads}`;
    const missing = found.length === shown.length ? "" : ` Without a number: ${found.filter((row) => !row[show]).map(({ name }) => name).join(", ")}.`;
    return show === "ratio"
      ? `${where}: ${best.name} is the fastest, ${text} ${interval} times as fast as ${ref}.${missing}`
      : `${where}: ${best.name} is the fastest with ${text} ${interval}.${missing}`;
  }

  function noteTexts(found, { ref }) {
    const texts = [...new Set(found.filter((row) => row.reason).map((row) => `${row.name}: ${row.reason}.`))];
    if (found.some((row) => row.star)) texts.push(`A star marks a ratio to ${ref} at its slower thread setting: no process timed both at the faster one.`);
    return texts;
  }

  function chart(shown, { show, ref, work }) {
    const spec = nnkernels.spec("compare");
    const data = shown.map((row, index) => {
      const [value, low, high, text, interval, n] = row[show];
      return {
        id: String(index).padStart(3, "0") + row.name, label: row.name, kind: row.kind,
        value, low: low ?? value, high: high ?? value, text: text + (show === "ratio" && row.star ? "*" : ""), detail: `${row.name}: ${text} ${interval}, n = ${n}`,
      };
    });
    const ends = data.flatMap(({ low, high }) => [low, high]);
    if (show === "ratio") ends.push(1);
    spec.datasets.rows = data;
    spec.height = given.step * data.length;
    spec.params.find(({ name }) => name === "ticks").value = ticks(Math.min(...ends), Math.max(...ends));
    const axes = spec.layer.filter((layer) => layer.encoding.x?.axis).map((layer) => layer.encoding.x.axis);
    for (const axis of axes) {
      axis.title = show === "ratio" ? `times as fast as ${ref} (logarithmic)` : `${work.unit} (logarithmic)`;
      axis.labelExpr = given.tickLabels[show];
    }
    if (show === "seconds") spec.layer = spec.layer.filter((layer) => layer.encoding.x?.datum === undefined);
    return spec;
  }

  function ticks(low, high) {
    const within = given.ticks.map((values) => values.filter((value) => value >= low * 0.95 && value <= high * 1.05));
    return within.find((values) => values.length <= given.mostTicks) ?? within.at(-1);
  }

  function fillTable(found, { ref, work }) {
    const headings = table.querySelectorAll("thead th");
    const names = [...headings].map((heading) => heading.dataset.name);
    const titles = { ratio: `x ${ref}`, seconds: work.unit };
    headings.forEach((heading, index) => { (heading.querySelector("button") ?? heading).textContent = titles[names[index]] ?? heading.dataset.title; });
    table.tBodies[0].replaceChildren(...found.map((row) => {
      const cells = {
        name: [row.name], kind: [row.kind], threads: [row.threads],
        ratio: [row.ratio ? row.ratio[3] + (row.star ? "*" : "") : "-", row.ratio?.[0]], "ratio-interval": [row.ratio?.[4] ?? "-"], n: [row.ratio?.[5] ?? "-"],
        seconds: [row.seconds?.[3] ?? "-", row.seconds?.[0]], "seconds-interval": [row.seconds?.[4] ?? "-"],
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
