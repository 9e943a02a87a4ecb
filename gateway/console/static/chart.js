// One chart: a room's past beside the outdoor air, its limits, and the forecast with its 90 % interval ahead.
"use strict";
window.gongiChart = (() => {
  const page = document.body.dataset;
  const find = (id) => document.getElementById(id);
  const box = find("chart");
  const words = box.dataset;
  let site = null;
  let room = null;
  let quantity = "pm25";
  let hours = 24;
  let plot = null;
  let past = null;
  let asked = 0;
  let turn = 0;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seconds = (iso) => Date.parse(iso) / 1000;
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const round = (value) => (Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10);
  const clock = new Intl.DateTimeFormat(page.lang, {
    timeZone: page.tz, hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });

  function rooms() {
    return site ? [...site.rooms, ...(site.outdoor ? [site.outdoor] : [])].filter((one) => one.node) : [];
  }

  // The room, with the node that speaks for it in this quantity.
  function chosen() {
    return rooms().find((one) => one.id === room) || rooms()[0];
  }

  function speaker(one) {
    const measured = (node) => node.values[quantity];
    const first = one.nodes.find((node) => node.id === one.node && measured(node));
    return (first || one.nodes.find(measured) || { id: one.node }).id;
  }

  async function series(node, end) {
    const points = Math.max(100, Math.min(300, Math.round(box.clientWidth / 3)));
    const start = Math.floor(end - hours * 3600);
    const query = new URLSearchParams({ node, quantity, start, end: Math.floor(end) + 1, points, lang: page.lang });
    const answer = await fetch(`/api/v1/sites/${page.site}/series?${query}`);
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  async function load() {
    const one = chosen();
    if (!one) return;
    const mine = ++turn;
    const end = seconds(site.now);
    asked = end;
    try {
      const outdoor = site.outdoor && site.outdoor.id !== one.id ? site.outdoor : null;
      const both = await Promise.all([series(speaker(one), end), outdoor ? series(speaker(outdoor), end) : null]);
      if (mine !== turn) return;
      past = { inside: both[0], outside: both[1], end };
      draw();
    } catch {
      if (mine === turn) message(words.failed);
    }
  }

  function message(text) {
    if (plot) plot.destroy();
    plot = null;
    const line = document.createElement("p");
    line.className = "empty";
    line.textContent = text;
    box.replaceChildren(line);
    box.setAttribute("aria-label", text);
  }

  // All lines on one time axis: the past's steps, the newest value, then the forecast's targets.
  function table(one) {
    const cell = one.values[quantity];
    const node = one.nodes.find((each) => each.id === speaker(one));
    const outlook = one.outlook && one.outlook.quantity === quantity ? one.outlook : null;
    const rows = new Map();
    const row = (time) => {
      if (!rows.has(time)) rows.set(time, [time, null, null, null, null, null]);
      return rows.get(time);
    };
    past.inside.time.forEach((time, place) => {
      row(time + past.inside.step_s / 2)[2] = past.inside.value[place];
    });
    if (past.outside) past.outside.time.forEach((time, place) => {
      row(time + past.outside.step_s / 2)[1] = past.outside.value[place];
    });
    if (cell && cell.usable && node && node.time && node.values[quantity]) {
      const newest = row(seconds(node.time));
      newest[2] = node.values[quantity].value;
      if (outlook) newest[3] = newest[4] = newest[5] = node.values[quantity].value;
    }
    if (outlook) outlook.steps.forEach((step) => {
      const ahead = row(seconds(step.target));
      [ahead[3], ahead[4], ahead[5]] = [step.value, step.lower, step.upper];
    });
    const sorted = [...rows.values()].sort((a, b) => a[0] - b[0]);
    return [0, 1, 2, 3, 4, 5].map((place) => sorted.map((each) => each[place]));
  }

  // Steps without samples at the end (the newest, not yet full) aren't gaps; longer silence is drawn as one.
  function silences(u, index, from, to, none) {
    return none.filter(([begin, end]) => u.posToVal(end, "x", true) - u.posToVal(begin, "x", true) > 2.5 * past.inside.step_s);
  }

  function draw() {
    const one = chosen();
    if (!one || !past) return;
    const data = table(one);
    const known = data[2].filter((value) => value !== null);
    find("past-room").textContent = one.name;
    if (!known.length && !data[1].some((value) => value !== null)) return message(words.empty);
    describe(one, known);
    legend(one, data);
    const look = [one.id, quantity, hours, box.clientWidth, past.outside !== null, colour("--line")].join("|");
    if (plot && plot.look === look) return plot.setData(data);
    if (plot) plot.destroy();
    box.replaceChildren();
    plot = new uPlot(settings(), data, box);
    plot.look = look;
  }

  function describe(one, known) {
    const label = document.querySelector(`#pick-quantity [data-quantity="${quantity}"]`).textContent;
    const values = {
      room: one.name, quantity: label, unit: past.inside.unit, hours,
      low: round(Math.min(...known)), high: round(Math.max(...known)), last: round(known[known.length - 1]),
    };
    box.setAttribute("aria-label", known.length ? fill(words.said, values) : words.empty);
  }

  function limits(one) {
    return (one.limits[quantity] || []).filter((value) => value !== null);
  }

  function legend(one, data) {
    const has = (place) => data[place].some((value) => value !== null);
    const entries = [["inside", one.name, true], ["outside", words.outside, has(1)],
      ["ahead", words.ahead, has(3)], ["band", words.band, has(4)], ["limit", fillLimit(one), limits(one).length > 0]];
    find("legend").replaceChildren(...entries.filter((entry) => entry[2]).map(([kind, text]) => {
      const item = document.createElement("li");
      item.className = kind;
      item.textContent = text;
      return item;
    }));
  }

  function fillLimit(one) {
    return fill(words.limit, { value: `${limits(one).join("–")} ${past.inside.unit}` });
  }

  function settings() {
    const narrow = box.clientWidth < 560;
    const axis = {
      stroke: colour("--quiet"), font: `12px ${colour("--font") || "sans-serif"}`,
      grid: { stroke: colour("--hair"), width: 1 }, ticks: { show: false },
    };
    const line = (stroke, width, more) => ({ stroke, width, points: { show: false }, spanGaps: false, ...more });
    const gap = { gaps: silences };
    return {
      width: box.clientWidth,
      height: narrow ? 250 : 330,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      tzDate: (time) => uPlot.tzDate(new Date(time * 1000), page.tz),
      scales: { x: { time: true, range: () => frame(chosen()) }, y: { range: (u, low, high) => span(chosen(), low, high) } },
      axes: [
        { ...axis, size: 30, space: narrow ? 58 : 80, values: (u, times) => times.map((time) => clock.format(time * 1000)) },
        { ...axis, size: narrow ? 38 : 48, space: 44, values: (u, values) => values.map((value) => round(value)) },
      ],
      series: [
        {},
        line(colour("--outside"), 1.5, gap),
        line(colour("--line"), 2.5, gap),
        line(colour("--line"), 2, { dash: [5, 5], spanGaps: true }),
        line(null, 0, { spanGaps: true }),
        line(null, 0, { spanGaps: true }),
      ],
      bands: [{ series: [5, 4], fill: colour("--band") }],
      hooks: { drawAxes: [(u) => rules(u, chosen())], setCursor: [tip], init: [hint] },
    };
  }

  function frame(one) {
    const outlook = one.outlook && one.outlook.quantity === quantity ? one.outlook.steps : [];
    const last = outlook.length ? seconds(outlook[outlook.length - 1].target) : past.end;
    return [past.end - hours * 3600, Math.max(last, past.end) + hours * 36];
  }

  // Room for the limit lines and some air above; concentrations start at zero.
  function span(one, low, high) {
    const bounds = [low, high, ...limits(one)].filter((value) => Number.isFinite(value));
    const [bottom, top] = bounds.length ? [Math.min(...bounds), Math.max(...bounds)] : [0, 1];
    const air = Math.max((top - bottom) * 0.12, 1);
    return [["temp", "rh", "co2"].includes(quantity) ? Math.floor(bottom - air) : 0, Math.ceil(top + air)];
  }

  function rules(u, one) {
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeStyle = colour("--limit");
    ctx.setLineDash([2 * ratio, 4 * ratio]);
    limits(one).forEach((value) => {
      const y = Math.round(u.valToPos(value, "y", true));
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      ctx.stroke();
    });
    const x = u.valToPos(past.end, "x", true);
    ctx.strokeStyle = colour("--quiet");
    ctx.setLineDash([]);
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    ctx.font = `${11 * ratio}px ${colour("--font") || "sans-serif"}`;
    ctx.textAlign = "right";
    ctx.fillStyle = colour("--quiet");
    ctx.fillText(words.now, x - 5 * ratio, top + 12 * ratio);
    ctx.restore();
  }

  function hint(u) {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    u.over.appendChild(tip);
    u.tip = tip;
  }

  function tip(u) {
    const at = u.cursor.idx;
    const parts = at === null || at === undefined ? [] : tipped(u, at);
    u.tip.hidden = !parts.length;
    if (!parts.length) return;
    u.tip.replaceChildren(...parts.map((text, place) => {
      const line = document.createElement(place ? "span" : "b");
      line.textContent = text;
      return line;
    }));
    const right = u.cursor.left > u.over.clientWidth / 2;
    u.tip.classList.toggle("right", right);
    u.tip.style.left = `${u.cursor.left}px`;
  }

  function tipped(u, at) {
    const [time, outside, inside, ahead, lower, upper] = u.data.map((column) => column[at]);
    const unit = past.inside.unit;
    const lines = [];
    if (inside !== null) lines.push(`${chosen().name} ${round(inside)} ${unit}`);
    if (outside !== null) lines.push(`${words.outside} ${round(outside)} ${unit}`);
    if (ahead !== null && inside === null) lines.push(`${words.ahead} ${round(ahead)} (${round(lower)}–${round(upper)}) ${unit}`);
    return lines.length ? [clock.format(time * 1000), ...lines] : [];
  }

  function mark() {
    document.querySelectorAll(".room").forEach((card) => {
      const mine = chosen() && card.id === `room-${chosen().id}`;
      card.classList.toggle("chosen", Boolean(mine));
      const button = card.querySelector(".pick");
      if (button) button.setAttribute("aria-pressed", mine ? "true" : "false");
    });
  }

  function offer() {
    const select = find("pick-room");
    const names = rooms().map((one) => [one.id, one.name]);
    names.sort((a, b) => (a[0] === "") - (b[0] === "") || a[1].localeCompare(b[1], page.lang, { numeric: true }));
    if (JSON.stringify(names) !== select.dataset.names) {
      select.dataset.names = JSON.stringify(names);
      select.replaceChildren(...names.map(([id, name]) => new Option(name, id)));
    }
    if (chosen()) select.value = chosen().id;
  }

  function choose(id) {
    room = id;
    mark();
    offer();
    return load();
  }

  function press(group, button) {
    group.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
  }

  find("pick-room").addEventListener("change", (event) => choose(event.target.value));
  find("pick-quantity").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    press(event.currentTarget, button);
    quantity = button.dataset.quantity;
    load();
  });
  find("pick-span").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    press(event.currentTarget, button);
    hours = Number(button.dataset.hours);
    load();
  });
  new ResizeObserver(() => {
    if (plot && plot.width !== box.clientWidth) draw();
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  return {
    site(next) {
      const first = site === null;
      site = next;
      if (room === null && rooms().length) room = rooms()[0].id;
      offer();
      mark();
      if (first || !past || seconds(site.now) - asked >= past.inside.step_s) load();
      else draw();
    },
    tick(now) {
      if (!site) return;
      site = { ...site, now };
      if (past && seconds(now) - asked >= past.inside.step_s) load();
    },
    mark,
    choose,
  };
})();
