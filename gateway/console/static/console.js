// Keeps a page live: an event says that something changed, the page fetches what changes and puts it in
// place part by part. Where events stop, the page says that its numbers are old.
"use strict";
(() => {
  const SILENT_MS = 15000; // three pulses missed: the connection is held for dead even if the browser hasn't noticed
  const page = document.body.dataset;
  const chart = window.gongiChart;
  const find = (id) => document.getElementById(id);
  const link = find("link");
  const banner = find("old");
  let asOf = find("clock").textContent;
  let heard = performance.now();
  let trouble = link.dataset.state === "stalled" ? "stalled" : "";
  let busy = false;
  let again = false;
  let source = null;

  function show() {
    document.body.classList.toggle("old", trouble !== "");
    link.dataset.state = trouble || "live";
    link.querySelector(".text").textContent = trouble ? link.dataset.lost : link.dataset.live;
    const text = trouble ? banner.dataset[trouble].replace("{time}", asOf) : "";
    if (banner.textContent !== text) banner.textContent = text;
    banner.hidden = !trouble;
  }

  function say(next) {
    if (next === trouble) return;
    trouble = next;
    show();
  }

  // Replaces children of `old` that differ from those of `fresh`, by id; the focus stays where it was.
  function renew(old, fresh) {
    const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.room : "";
    const wanted = [...fresh.children];
    wanted.forEach((part, place) => {
      const there = part.id && old.querySelector(`:scope > #${CSS.escape(part.id)}`);
      if (!there) old.insertBefore(part, old.children[place] || null);
      else {
        if (old.children[place] !== there) old.insertBefore(there, old.children[place]);
        if (["rooms", "hero", "schools"].includes(part.id)) {
          there.className = part.className;
          renew(there, part);
        } else if (!there.isEqualNode(part)) there.replaceWith(part);
      }
    });
    while (old.children.length > wanted.length) old.lastElementChild.remove();
    if (focus) {
      const button = document.querySelector(`.pick[data-room="${CSS.escape(focus)}"]`);
      if (button && button !== document.activeElement) button.focus({ preventScroll: true });
    }
  }

  async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(`${page.now}?lang=${page.lang}`);
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      renew(find("now"), fresh.body);
      if (chart) chart.mark();
    } catch {
      say("lost");
    }
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }

  function alive(now, stalled) {
    heard = performance.now();
    asOf = new Intl.DateTimeFormat(page.lang, {
      timeZone: page.tz, hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    }).format(new Date(now));
    find("clock").textContent = asOf;
    say(stalled ? "stalled" : "");
    refresh();
  }

  function connect() {
    if (source) source.close();
    source = new EventSource(`/api/v1/events?site=${page.site}&lang=${page.lang}`);
    source.addEventListener(page.site ? "site" : "sites", (event) => {
      const site = JSON.parse(event.data);
      alive(site.now, site.stalled);
      if (chart && site.rooms) chart.site(site);
    });
    source.addEventListener("pulse", (event) => {
      const pulse = JSON.parse(event.data);
      alive(pulse.now, pulse.stalled);
      if (chart) chart.tick(pulse.now);
    });
    source.onerror = () => say("lost");
  }

  setInterval(() => {
    if (!document.hidden && performance.now() - heard > SILENT_MS) {
      say("lost");
      heard = performance.now();
      connect();
    }
  }, 1000);
  // A browser allows six connections to one host: hidden tabs give theirs back, and say "old" until they hear again.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return source.close();
    if (performance.now() - heard > SILENT_MS) say("lost");
    heard = performance.now();
    return connect();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    if (!button || !chart) return;
    chart.choose(button.dataset.room);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.querySelector(".past").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  });
  show();
  connect();
})();
