"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");

  // plotly.js comes packed; browsers unpack it themselves. One that cannot says so in place of the charts.
  const library = (async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    return window.Plotly;
  })();

  // --- charts ---------------------------------------------------------------------------------------------------

  const colors = () => {
    const style = getComputedStyle(document.documentElement);
    const known = {};
    return (name) => (known[name] ??= style.getPropertyValue(name).trim());
  };

  const painted = (value, color) => {
    if (typeof value === "string") {
      const variable = /^var\((--[a-z]+)\)$/.exec(value);
      return variable ? color(variable[1]) : value;
    }
    if (Array.isArray(value)) return value.map((item) => painted(item, color));
    if (value && typeof value === "object")
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, painted(item, color)]));
    return value;
  };

  const config = {
    displaylogo: false,
    responsive: true,
    scrollZoom: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"],
  };

  // The look that all charts share.
  const axis = ({ title, ...more }) => ({
    gridcolor: "var(--grid)",
    linecolor: "var(--muted)",
    zeroline: false,
    automargin: true,
    ...more,
    title: { text: title },
  });
  const styled = ({ layout, ...spec }) => ({
    ...spec,
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: "var(--raised)", bordercolor: "var(--muted)", font: { color: "var(--ink)" } },
      hovermode: "closest",
      dragmode: "zoom",
      ...layout,
      xaxis: axis(layout.xaxis),
      yaxis: axis(layout.yaxis),
      font: { color: "var(--ink)", size: 12, family: "system-ui, sans-serif", ...layout.font },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--muted)", activecolor: "var(--ink)", ...layout.modebar },
      margin: { l: 60, r: 20, t: 40, b: 50, ...layout.margin },
    },
  });

  const fitted = (spec, element) => {
    // A phone has no room for names and a legend beside the lines, nor for long titles of axes.
    if (element.clientWidth >= 560) return spec;
    const small = structuredClone(spec);
    small.layout.margin = { l: 45, r: 8, t: 30, b: 45 };
    small.layout.font.size = 11;
    small.layout.modebar = { ...small.layout.modebar, orientation: "h" };
    // The buttons are above the lines, where a touch screen always shows them: what the lines are stands below.
    if (small.layout.legend) Object.assign(small.layout.legend, { y: -0.24, yanchor: "top" });
    for (const axis of [small.layout.xaxis, small.layout.yaxis]) {
      const words = axis.title.text.split(" ");
      const half = words.findIndex((_, at) => words.slice(0, at + 1).join(" ").length > 28);
      if (half > 0) axis.title.text = `${words.slice(0, half).join(" ")}<br>${words.slice(half).join(" ")}`;
    }
    if (small.wide_legend) {
      small.layout.showlegend = false;
    }
    for (const trace of small.data) {
      if (trace.meta?.text) Object.assign(trace, trace.meta);
      if (trace.text && small.data.length > 1) trace.textfont = { size: 9 };
    }
    return small;
  };

  const draw = async (element, spec) => {
    let Plotly;
    try {
      Plotly = await library;
    } catch {
      element.textContent = "This browser is too old to draw the charts; all numbers are in the tables.";
      return;
    }
    const { data: traces, layout } = painted(fitted(styled(spec), element), colors());
    await Plotly.react(element, traces, layout, config);
    if (spec.opens && !element.dataset.opens) {
      element.dataset.opens = "yes";
      element.on("plotly_click", (event) => {
        const row = event.points[0]?.customdata;
        if (row !== undefined && row !== null) open(String(row), element);
      });
    }
    element.dataset.drawn = "yes";
  };

  const charts = [...document.querySelectorAll("[data-chart]")];
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target, data.charts[entry.target.dataset.chart]);
      }
    },
    { rootMargin: "400px" },
  );
  for (const chart of charts) seen.observe(chart);
  dark.addEventListener("change", () => {
    for (const chart of document.querySelectorAll("[data-drawn]"))
      draw(chart, data.charts[chart.dataset.chart] ?? chart.spec);
  });
  window.addEventListener("beforeprint", () => {
    for (const chart of charts) draw(chart, data.charts[chart.dataset.chart]);
  });

  // --- one network ----------------------------------------------------------------------------------------------

  const dialog = document.getElementById("network");
  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  const small = (traces, xaxis, yaxis, more = { showlegend: false }) => ({
    data: traces,
    layout: { xaxis, yaxis, font: { size: 11 }, margin: { l: 50, r: 10, t: 10, b: 40 }, height: 230, ...more },
  });

  const chartIn = (parent, title, spec) => {
    const element = make("div", { class: "chart small", role: "figure", "aria-label": title });
    element.spec = spec;
    parent.append(make("section", {}, make("h3", {}, title), element));
    return () => draw(element, spec);
  };

  const curveSpec = (curve, title) =>
    small(
      [
        {
          type: "scatter",
          mode: curve[0].length > 20 ? "lines" : "lines+markers",
          x: curve[0],
          y: curve[1],
          line: { color: "var(--blue)" },
          hovertemplate: "step %{x:,}: %{y:.4f}<extra></extra>",
        },
      ],
      { title: "steps", type: "log", ...(curve[0].length <= 8 ? { tickvals: curve[0] } : { dtick: "D2" }) },
      { title, type: title === "training loss" ? "log" : "linear" },
    );

  const roundsSpec = (rounds) => {
    const of = (field, name, symbol, color) => ({
      type: "scatter",
      mode: "markers",
      name,
      x: rounds.map((_, index) => index + 1),
      y: rounds.map((round) => round[field]),
      text: rounds.map((round) => `process ${round.process}${round.disturbed ? ", disturbed" : ""}`),
      marker: { color, size: 7, symbol: rounds.map((round) => (round.disturbed ? `${symbol}-open` : symbol)) },
      hovertemplate: `${name}: %{y:.1f} ms, %{text}<extra></extra>`,
    });
    const traces = [of("latency_ms", "this network", "circle", "var(--blue)")];
    if (rounds.some((round) => round.baseline_latency_ms))
      traces.push(of("baseline_latency_ms", "the baseline beside it", "diamond", "var(--muted)"));
    const legend = { showlegend: true, legend: { orientation: "h", y: 1.18, x: 0 } };
    return small(traces, { title: "round" }, { title: "ms (log)", type: "log" }, legend);
  };

  const slider = (before, after, title) => {
    const range = make("input", {
      type: "range",
      min: "0",
      max: "100",
      value: "50",
      "aria-label": `${title}: how much of the enhanced photograph is shown`,
    });
    const top = make("img", { src: after, alt: `${title}, enhanced` });
    const box = make("div", { class: "slider" }, make("img", { src: before, alt: `${title}, untouched` }), top, range);
    const move = () => box.style.setProperty("--at", `${range.value}%`);
    range.addEventListener("input", move);
    move();
    return make("figure", {}, box, make("figcaption", {}, `${title}: untouched on the right, enhanced on the left`));
  };

  let opener = null;
  const open = (row, from) => {
    const network = data.networks[row];
    if (!network) return;
    opener = from ?? document.activeElement;
    const body = dialog.querySelector(".body");
    const later = [];
    dialog.querySelector("h2").textContent = network.label;
    body.replaceChildren();
    const facts = make("dl");
    for (const [name, value] of network.facts) facts.append(make("dt", {}, name), make("dd", {}, value));
    const figures = make("div", { class: "figures" });
    for (const [measure, title] of Object.entries(data.measures))
      if (network.curves[measure]) later.push(chartIn(figures, title, curveSpec(network.curves[measure], title)));
    if (network.rounds.length) later.push(chartIn(figures, "Timing, round by round", roundsSpec(network.rounds)));
    for (const picture of data.pictures[row] ?? [])
      body.append(slider(data.untouched[picture.photograph], picture.uri, picture.photograph));
    body.append(facts, figures);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    history.replaceState(null, "", `#network=${encodeURIComponent(network.key)}`);
    for (const chart of later) chart();
  };
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    if (opener?.isConnected) opener.focus({ preventScroll: true });
  });
  for (const button of document.querySelectorAll("button[data-row]"))
    button.addEventListener("click", () => open(button.dataset.row, button));
  const wanted = /^#network=(.+)$/.exec(location.hash);
  if (wanted) {
    const row = Object.keys(data.networks).find(
      (name) => encodeURIComponent(data.networks[name].key) === wanted[1] || data.networks[name].key === wanted[1],
    );
    if (row) open(row);
  }

  // --- tables ---------------------------------------------------------------------------------------------------

  const number = (text) => {
    const value = parseFloat(text.replace(/[,×%+]/g, "").replace("\u2212", "-"));
    return Number.isNaN(value) ? null : value;
  };
  const cellAt = (row, column) => {
    let at = 0;
    for (const cell of row.cells) {
      at += cell.colSpan;
      if (at > column) return cell.classList.contains("missing") ? "" : cell.textContent.trim();
    }
    return "";
  };
  for (const button of document.querySelectorAll("th button[data-column]")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const table = head.closest("table");
      const column = Number(button.dataset.column);
      const up = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up === 1 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => {
        const text = cellAt(row, column);
        return { row, text, value: number(text) };
      });
      rows.sort((a, b) => {
        if ((a.text === "") !== (b.text === "")) return a.text === "" ? 1 : -1; // what is missing stays last
        if (column > 0 && a.value !== null && b.value !== null) return up * (a.value - b.value);
        return up * a.text.localeCompare(b.text, "en", { numeric: true });
      });
      table.tBodies[0].append(...rows.map(({ row }) => row));
    });
  }

  // Long tables are folded; without this script all rows are there. Sorting brings other rows to the top.
  for (const fold of document.querySelectorAll(".fold")) {
    const table = fold.previousElementSibling;
    const button = fold.firstElementChild;
    const all = button.textContent;
    const set = (folded) => {
      table.classList.toggle("folded", folded);
      button.setAttribute("aria-expanded", String(!folded));
      button.textContent = folded ? all : "Show the first rows only";
    };
    button.addEventListener("click", () => set(!table.classList.contains("folded")));
    fold.hidden = false;
    set(true);
  }

  // --- before and after, on the page itself -----------------------------------------------------------------------

  for (const place of document.querySelectorAll("[data-slider]")) {
    const picture = data.pictures[place.dataset.slider]?.[Number(place.dataset.number)];
    if (picture) place.append(slider(data.untouched[picture.photograph], picture.uri, picture.photograph));
  }
  document.documentElement.classList.add(still.matches ? "still" : "moving");
})();
