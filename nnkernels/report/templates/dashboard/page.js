"use strict";
/* The frame's script. Sections use these functions:
     nnkernels.data(name)           the section's payload
     nnkernels.load(key)            a promise of the data in the file KEY.js beside the page
     nnkernels.register(key, value) called by such files
     nnkernels.spec(name)           a copy of the specification of a chart of this page
     nnkernels.show(name, spec)     draws a chart with a changed specification, at once
     nnkernels.draw(element, spec)  draws a specification into any element; a promise of Vega's view
     nnkernels.near(element, run)   calls run once the element comes near the viewport
     nnkernels.unsorted(table)      marks a sortable table as sorted by none of its columns
   Numbers are formatted by Python. Nothing here divides or estimates. */
const nnkernels = (() => {
  const registered = new Map();
  const loading = new Map();
  const json = (id) => JSON.parse(document.getElementById(id).textContent);
  let specs;

  function data(name) {
    return json(`data-${name}`);
  }

  function spec(name) {
    specs ??= json("specs");
    return structuredClone(specs.charts[name]);
  }

  /* The theme of all charts, with the specification's own configuration taking precedence. */
  function themed(given) {
    specs ??= json("specs");
    const config = structuredClone(specs.theme);
    for (const [key, value] of Object.entries(given.config ?? {})) {
      config[key] = value instanceof Object && !Array.isArray(value) ? { ...config[key], ...value } : value;
    }
    return { ...given, config };
  }

  function register(key, value) {
    registered.set(key, value);
  }

  function load(key) {
    if (!loading.has(key)) {
      loading.set(key, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `${key}.js`;
        script.onload = () => registered.has(key) ? resolve(registered.get(key)) : script.onerror();
        script.onerror = () => {
          loading.delete(key);
          reject(new Error(`The file ${key}.js is missing beside this page. Copy the whole folder that nnkernels publish wrote.`));
        };
        document.head.append(script);
      }));
    }
    return loading.get(key);
  }

  /* Vega is evaluated only when the first chart is drawn. The policy permits its text by hash. It is the page's last
     element, so scripts that draw at once wait for it. */
  const parsed = new Promise((resolve) => addEventListener("DOMContentLoaded", resolve));
  async function vega() {
    await parsed;
    if (!window.vegaEmbed) {
      const script = document.createElement("script");
      script.textContent = document.getElementById("vega").textContent;
      document.head.append(script);
    }
  }

  async function draw(element, given) {
    const sized = given.autosize ? { ...given, width: Math.floor(element.getBoundingClientRect().width) } : given;
    element.view?.finalize();
    await vega();
    const result = await window.vegaEmbed(element, themed(sized), {
      ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true },
    });
    element.querySelector("svg").setAttribute("aria-hidden", "true"); // the figure has a text alternative
    element.view = result.view;
    element.spec = given;
    element.drawnWidth = sized.width;
    widths.observe(element);
    return result.view;
  }

  const widths = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const width = Math.floor(target.getBoundingClientRect().width);
      if (width && target.spec.autosize && width !== target.drawnWidth) {
        target.drawnWidth = width;
        target.view.width(width).runAsync();
      }
    }
  });

  async function show(name, given) {
    const figure = document.getElementById(`chart-${name}`);
    const live = figure.querySelector(".live");
    live.hidden = false;
    live.classList.toggle("waiting", !figure.classList.contains("is-live"));
    const view = await draw(live, given ?? spec(name));
    live.classList.remove("waiting");
    figure.classList.add("is-live");
    if (given) figure.classList.add("is-changed");
    return view;
  }

  function near(element, run) {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        observer.disconnect();
        run();
      }
    }, { rootMargin: "400px" });
    observer.observe(element);
  }

  /* Cells sort by data-sort, otherwise by their text; cells without a number come last. */
  function sort(table, index, ascending) {
    const key = (row) => {
      const { dataset, textContent } = row.cells[index];
      const number = Number(dataset.sort ?? (textContent || NaN));
      return Number.isNaN(number) ? dataset.sort ?? textContent : number;
    };
    const missing = (value) => value === "-" || value === "";
    const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
    rows.sort(([one], [two]) => {
      if (missing(one) || missing(two)) return missing(one) - missing(two);
      const order = typeof one === "number" && typeof two === "number" ? one - two : String(one).localeCompare(String(two));
      return ascending ? order : -order;
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
    unsorted(table);
    table.tHead.rows[0].cells[index].setAttribute("aria-sort", ascending ? "ascending" : "descending");
  }

  function unsorted(table) {
    for (const heading of table.tHead.rows[0].cells) heading.removeAttribute("aria-sort");
  }

  function makeSortable(table) {
    [...table.tHead.rows[0].cells].forEach((heading, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, index, heading.getAttribute("aria-sort") !== "ascending"));
    });
  }
  for (const table of document.querySelectorAll("table[data-sortable]")) makeSortable(table);

  function currentSection() {
    const links = [...document.querySelectorAll("nav a")];
    const observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          for (const link of links) {
            if (link.hash.split("?")[0] === `#${entry.target.id}`) link.setAttribute("aria-current", "true");
            else link.removeAttribute("aria-current");
          }
        }
      }
    }, { rootMargin: "-30% 0px -60% 0px" });
    for (const section of document.querySelectorAll("main > section")) observer.observe(section);
  }

  /* Dates stand in the page; ages depend on today. */
  function ages() {
    const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
    for (const element of document.querySelectorAll("time[datetime]")) {
      const days = Math.round((Date.parse(element.dateTime) - Date.now()) / 86_400_000);
      const age = Math.abs(days) < 60 ? words.format(days, "day") : words.format(Math.round(days / 30.44), "month");
      element.append(` (${age})`);
    }
  }

  addEventListener("load", () => {
    currentSection();
    ages();
    for (const figure of document.querySelectorAll("figure.chart")) {
      const name = figure.id.slice("chart-".length);
      near(figure, () => { if (!figure.classList.contains("is-changed")) show(name); });
    }
  });
  return { data, load, register, spec, show, draw, near, unsorted };
})();
