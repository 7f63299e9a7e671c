// Draws the charts of the statistics pages with uPlot, from the JSON beside them, in the colours of the theme. Every point
// stands at its number; the server has written the labels. Without this file the tables under the charts say the same.
"use strict";
{
  const source = document.getElementById("chart-data");
  const probe = document.createElement("span");
  probe.hidden = true;
  const drawn = [];

  // A custom property may hold light-dark(…); only a computed colour says which of the two it is now.
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const wholes = Array.from({ length: 14 }, (_none, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
  const number = (text) => (text === null ? null : Number(text));
  const short = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumFractionDigits: 1 });
  const long = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
  const written = (value, unit) => (value === null ? "–" : unit === "%" ? `${value.toFixed(2)} %` : long.format(value));

  // The name of a series stands at its end, in its colour: nobody looks for a legend.
  const nameSeries = (chart) => (plot) => {
    const { ctx } = plot;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${12 * scale}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "right";
    ctx.textBaseline = "bottom";
    // Lines run through the middle, so their names stand above (or, where there is no room, below) all of them.
    const tail = Math.floor(chart.labels.length * 0.7);
    const heights = chart.series.flatMap((series, place) =>
      series.is_line ? plot.data[place + 1].slice(tail).filter((value) => value !== null).map((value) => plot.valToPos(value, "y", true)) : []);
    const step = 15 * scale;
    const highest = Math.min(...heights, plot.bbox.top + plot.bbox.height);
    const fits = highest - step * chart.series.length > plot.bbox.top;
    const lowest = Math.max(...heights, plot.bbox.top);
    const right = plot.bbox.left + plot.bbox.width - 4 * scale;
    chart.series.forEach((series, place) => {
      const above = highest - 5 * scale - step * (chart.series.length - 1 - place);
      const below = lowest + step * (place + 1) + 3 * scale;
      const y = !series.is_line ? plot.bbox.top + step * (place + 1) : fits ? above : below;
      ctx.lineWidth = 3 * scale;
      ctx.strokeStyle = colour("paper");
      ctx.strokeText(series.name, right, y);
      ctx.fillStyle = colour(series.tone);
      ctx.fillText(series.name, right, y);
    });
    ctx.restore();
  };

  const options = (chart, holder) => {
    const ink = colour("ink-quiet");
    const grid = { stroke: colour("line"), width: 1 };
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const reading = holder.closest("figure").querySelector(".reading");
    const bars = uPlot.paths.bars({ size: [0.7, 48] });
    const count = chart.labels.length;
    const width = Math.max(holder.clientWidth, 200);
    const labelWidth = Math.max(...chart.labels.map((label) => label.length)) * 6.4 + 14;
    const every = Math.max(1, Math.ceil((count * labelWidth) / (width - 70)));
    return {
      width, height: 220, legend: { show: false }, padding: [8, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: () => [-0.6, count - 0.4] },
        y: { range: (_plot, _low, high) => [0, chart.unit === "%" ? 100 : Math.max(high * 1.12, 1)] },
      },
      axes: [
        {
          stroke: ink, font, grid: { show: false }, ticks: { show: false }, gap: 4, size: 24,
          splits: () => chart.labels.map((_label, place) => place).filter((place) => place % every === 0),
          values: (_plot, places) => places.map((place) => chart.labels[place]),
        },
        {
          stroke: ink, font, grid, ticks: { show: false }, size: 52, incrs: chart.is_count ? wholes : undefined,
          values: (_plot, values) => values.map((value) => (chart.unit === "%" ? `${value} %` : short.format(value))),
        },
      ],
      series: [
        {},
        ...chart.series.map((series) => ({
          label: series.name,
          stroke: colour(series.tone),
          width: series.is_line ? (series.is_thin ? 1 : 2) : 0,
          dash: series.is_thin ? [4, 4] : undefined,
          fill: series.is_line ? undefined : colour(series.tone === "closed" ? "closed-tint" : series.tone),
          paths: series.is_line ? undefined : bars,
          points: { show: series.is_line && count < 60, size: 4, fill: colour(series.tone) },
          spanGaps: true,
        })),
      ],
      hooks: {
        draw: [nameSeries(chart)],
        setCursor: [
          (plot) => {
            const place = plot.cursor.idx;
            reading.textContent = place === null || place === undefined ? "" : [
              chart.labels[place],
              ...chart.series.map((series, at) => `${series.name} ${written(plot.data[at + 1][place], chart.unit)}`),
            ].join(" · ");
          },
        ],
      },
    };
  };

  const draw = () => {
    while (drawn.length) drawn.pop().destroy();
    const charts = JSON.parse(source.textContent);
    for (const holder of document.querySelectorAll(".chart[data-chart]")) {
      const chart = charts[holder.dataset.chart];
      if (!chart || !chart.labels.length) continue;
      const data = [chart.labels.map((_label, place) => place), ...chart.series.map((series) => series.values.map(number))];
      drawn.push(new uPlot(options(chart, holder), data, holder));
      holder.classList.add("drawn");
    }
  };

  if (source && window.uPlot) {
    document.body.append(probe);
    draw();
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    let width = innerWidth;
    let waiting = 0;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    });
  }
}
