"use strict";
// The list of episodes: filters, pages, rows that open. Text of a run only ever becomes text, never markup.
(() => {
  const PER_PAGE = 50;
  const { runs, rows } = JSON.parse(document.getElementById("data").textContent);
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const byId = (id) => document.getElementById(id);
  const form = byId("filters"), list = byId("list"), several = runs.length > 1;
  let found = rows, page = 0;

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // Each filter: its label, what a row offers it, and whether that is told of each run's result.
  const ofEpisode = (field) => (row) => [row[field] ?? ""];
  const ofResults = (field) => (row) => row.runs.map((result) => result?.[field] ?? "");
  const FILTERS = [
    ["Outcome", ofResults("outcome"), true], ["Skill", ofEpisode("skill")], ["Axis", ofEpisode("axis")],
    ["Split", ofEpisode("split")], ["Language", ofEpisode("language")],
    ["Termination", ofResults("termination"), true], ["Reason", ofResults("reason"), true],
  ];
  const CHANGES = {
    "outcomes differ": (row) => new Set(row.runs.filter(Boolean).map((result) => result.outcome)).size > 1,
    "lost against the baseline": (row) => against(row, "success", "failure"),
    "gained against the baseline": (row) => against(row, "failure", "success"),
  };
  const against = (row, first, other) =>
    row.runs[0]?.outcome === first && row.runs.slice(1).some((result) => result?.outcome === other);

  function select(label, options) {
    const node = make("select", { "aria-label": label }, make("option", { value: "" }, "all"));
    for (const [value, text] of options) node.append(make("option", { value }, text));
    form.append(make("label", {}, label, node));
    return node;
  }

  const chosenRun = several ? select("Run", runs.map((run, index) => [index, run.label])) : { value: "" };
  const change = several ? select("Change", Object.keys(CHANGES).map((name) => [name, name])) : { value: "" };
  const selects = FILTERS.flatMap(([label, values, perRun]) => {
    const known = [...new Set(rows.flatMap(values))].filter(Boolean).sort();
    return known.length > 1 ? [[select(label, known.map((name) => [name, name])), values, perRun]] : [];
  });
  const texts = rows.map((row) =>
    [row.key, row.instruction, row.task, row.variant, ...row.objects,
      ...row.runs.map((result) => result?.message)].join("\n").toLowerCase());

  function passes(row, index, words) {
    if (!words.every((word) => texts[index].includes(word))) return false;
    if (change.value && !CHANGES[change.value](row)) return false;
    const run = chosenRun.value;
    if (run !== "" && !row.runs[run]) return false;
    // All that is asked of results has to be true of one and the same run's.
    const asked = selects.filter(([node]) => node.value);
    const fits = (k) => asked.every(([node, values, perRun]) => values(row)[perRun ? k : 0] === node.value);
    return run === "" ? row.runs.some((_, k) => fits(k)) : fits(Number(run));
  }

  function filter() {
    const words = byId("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    found = rows.filter((row, index) => passes(row, index, words));
    page = 0;
    render();
  }

  function render() {
    const last = Math.max(0, Math.ceil(found.length / PER_PAGE) - 1);
    const from = page * PER_PAGE, shown = found.slice(from, from + PER_PAGE);
    list.replaceChildren(...shown.map(item));
    byId("count").textContent = `${found.length} of ${rows.length} episodes`;
    byId("place").textContent = `${from + 1} to ${from + shown.length}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === last;
    byId("pages").hidden = last === 0;
  }

  function picture(row, kind) {
    const source = pictures[row.key];
    if (!source) return make("span", { class: kind });
    const size = kind === "frame" ? { width: 80, height: 64 } : { width: 320, height: 256 };
    const alt = kind === "frame" ? "" : "First frame";
    return make("img", { class: kind, alt, loading: "lazy", src: `data:image/webp;base64,${source}`, ...size });
  }

  const MARKS = { success: "✓ success", failure: "✗ failure", error: "! error", absent: "– not played" };
  function outcome(result, index) {
    const kind = result?.outcome ?? "absent";
    return make("span", { class: kind }, several ? `${runs[index].label}: ${MARKS[kind]}` : MARKS[kind]);
  }

  function summary(row) {
    const parts = [row.task, row.axis];
    for (const result of row.runs) {
      if (!result) continue;
      const events = Object.entries(result.events ?? {}).map(([name, count]) => `${count} ${name}`);
      parts.push([...(result.steps === undefined ? [] : [`${result.steps} steps`]), ...events].join(", "));
    }
    return parts.filter(Boolean).join(" · ");
  }

  function item(row) {
    const more = make("div", { class: "more", id: `more-${row.key}`, hidden: "" });
    const button = make("button",
      { type: "button", class: "row", "aria-expanded": "false", "aria-controls": more.id },
      picture(row, "frame"), make("span", {}, row.instruction || "(no instruction)"),
      make("span", { class: "outcomes" }, ...row.runs.map(outcome)), make("span", { class: "what" }, summary(row)));
    const toggle = (open) => {
      if (open && !more.hasChildNodes()) more.append(...details(row));
      if (!open) more.querySelectorAll("video").forEach((video) => video.pause());
      more.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    };
    button.addEventListener("click", () => toggle(more.hidden));
    const entry = make("li", {}, button, more);
    entry.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || more.hidden) return;
      toggle(false);
      button.focus();
    });
    return entry;
  }

  const facts = (pairs) => make("dl", {}, ...pairs.filter(([, text]) => text).map(([label, text]) =>
    make("div", {}, make("dt", {}, label), make("dd", {}, text))));

  function details(row) {
    const about = facts([
      ["key", row.key], ["task", row.task], ["skill", row.skill], ["split", row.split], ["axis", row.axis],
      ["variant", row.variant], ["scene", row.scene], ["objects", row.objects.join(", ")],
      ["language", row.language], ["control arm", row.arm], ["seed", String(row.seed)],
      ["horizon", `${row.horizon} steps`], ["twin", row.twin],
    ]);
    return [make("div", { class: "results" }, ...row.runs.flatMap((result, index) =>
      (result ? [panel(row, result, index)] : [])), make("section", { "aria-label": "Episode" }, about))];
  }

  function panel(row, result, index) {
    const place = `${runs[index].folder}:${row.key}`, name = several ? `${runs[index].label}: ` : "";
    const film = result.video
      ? make("video", { controls: "", preload: "none", src: result.video, "aria-label": `Video of ${row.instruction}`,
        ...(pictures[row.key] ? { poster: `data:image/webp;base64,${pictures[row.key]}` } : {}) })
      : picture(row, "large");
    const goal = Object.entries(result.goal ?? {}).map(([leaf, held]) => `${held ? "✓" : "✗"} ${leaf}`).join(", ");
    const events = Object.entries(result.events ?? {}).map(([event, count]) => `${event} ${count}`).join(", ");
    const told = facts([
      ["steps", String(result.steps ?? "")], ["termination", result.termination], ["reason", result.reason],
      ["goal", goal], ["events", events], ["touched", result.touched], ["plans", result.plans], ["error", result.message],
      ["held, ever", result.outcome === "error" ? "" : `${result.held ? "yes" : "no"}, ${result.ever ? "yes" : "no"}`],
    ]);
    const heading = make("h3", { class: result.outcome }, name + MARKS[result.outcome]);
    const links = result.video ? [make("p", {}, make("a", { href: result.video }, "Video file"))] : [];
    return make("section", { "aria-label": runs[index].label }, heading, film, ...links, told,
      make("p", {}, make("code", {}, `rtbench show ${place}`)),
      make("p", {}, make("code", {}, `rtbench replay ${place}`)));
  }

  function turn(by) {
    page += by;
    render();
    list.querySelector(".row")?.focus();
  }

  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  render();
})();
