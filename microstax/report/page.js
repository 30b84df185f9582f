
"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = one("#filters"), help = one("#help"), themeButton = one("#theme");

  // Theme: auto, light or dark; kept where the browser allows it, which it need not for a file.
  const themes = ["auto", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("microstax-theme"); } catch { return null; } };
  const setTheme = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    themeButton.textContent = `Theme: ${name}`;
    try { localStorage.setItem("microstax-theme", name); } catch { /* only this page remembers */ }
  };
  let theme = themes.includes(stored()) ? stored() : "auto";
  const nextTheme = () => { theme = themes[(themes.indexOf(theme) + 1) % themes.length]; setTheme(theme); };
  setTheme(theme);
  themeButton.addEventListener("click", nextTheme);
  one("#help-open").addEventListener("click", () => help.showModal());
  one(".tools").hidden = false;

  // What can be filtered; the text of each is read once.
  const endpoints = all(".endpoint").map((node) => ({
    node,
    name: one("h3", node).textContent.toLowerCase(),
    service: node.dataset.service,
    verdict: node.dataset.verdict,
    findings: all(".finding", node).map((found) => ({
      node: found,
      text: null,
      verdict: found.dataset.verdict,
      kind: found.dataset.kind,
      group: found.closest(".group, .noise"),
    })),
  }));
  const textOf = (found) => (found.text ??= found.node.textContent.toLowerCase());

  const state = () => {
    const data = new FormData(form);
    return {
      words: data.get("q").toLowerCase().split(/\s+/).filter(Boolean),
      verdicts: data.getAll("verdict"),
      service: data.get("service"),
      kind: data.get("kind"),
      quiet: data.has("quiet"),
    };
  };

  const apply = () => {
    const wanted = state();
    let shownFindings = 0, allFindings = 0, shownEndpoints = 0;
    for (const endpoint of endpoints) {
      const rightService = !wanted.service || endpoint.service === wanted.service;
      const groups = new Map();
      let inside = 0;
      for (const found of endpoint.findings) {
        allFindings += 1;
        const shown = rightService
          && (!wanted.kind || found.kind === wanted.kind)
          && (!wanted.verdicts.length || wanted.verdicts.includes(found.verdict))
          && !(wanted.quiet && found.verdict === "noise")
          && wanted.words.every((word) => endpoint.name.includes(word) || textOf(found).includes(word));
        found.node.hidden = !shown;
        inside += shown;
        if (found.group) groups.set(found.group, groups.get(found.group) || shown);
      }
      for (const [group, shown] of groups) group.hidden = !shown;
      // An endpoint without any finding passes by its own verdict and name.
      const itself = rightService && !wanted.kind
        && (!wanted.verdicts.length || wanted.verdicts.includes(endpoint.verdict))
        && wanted.words.every((word) => endpoint.name.includes(word));
      const shown = inside > 0 || itself;
      endpoint.node.hidden = !shown;
      shownEndpoints += shown;
      shownFindings += inside;
    }
    const [a, b, c, d] = [shownFindings, allFindings, shownEndpoints, endpoints.length].map((count) => count.toLocaleString("en"));
    one("#count").textContent = `${a} of ${b} findings in ${c} of ${d} endpoints`;
    one("#none").hidden = shownEndpoints > 0;
  };

  // The state stands in the address, so that a link shows the same; "#f12" is a place instead.
  const write = () => {
    const parameters = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) parameters.append(name, value);
    const hash = parameters.toString();
    if (hash !== location.hash.slice(1)) location.replace(`#${hash}`);
  };
  const read = () => {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) { reveal(document.getElementById(hash)); return; }
    const parameters = new URLSearchParams(hash);
    form.elements.q.value = parameters.get("q") ?? "";
    form.elements.service.value = parameters.get("service") ?? "";
    form.elements.kind.value = parameters.get("kind") ?? "";
    for (const select of [form.elements.service, form.elements.kind]) if (select.selectedIndex < 0) select.value = "";
    for (const box of all("[name=verdict]", form)) box.checked = parameters.getAll("verdict").includes(box.value);
    if (form.elements.quiet) form.elements.quiet.checked = parameters.has("quiet");
    apply();
  };
  const changed = () => { apply(); write(); };

  const reveal = (node) => {
    for (let outer = node; outer; outer = outer.parentElement) if (outer.localName === "details") outer.open = true;
    node?.scrollIntoView({ block: "center" });
  };
  const step = (direction) => {
    const shown = endpoints.filter((endpoint) => !endpoint.node.hidden).flatMap((endpoint) => endpoint.findings)
      .map((found) => found.node).filter((node) => !node.hidden && !node.closest(".noise:not([open])"));
    if (!shown.length) return;
    const here = document.activeElement?.closest?.(".finding");
    const at = shown.indexOf(here);
    const next = shown[Math.min(Math.max(at + direction, 0), shown.length - 1)];
    reveal(next);
    next.focus({ preventScroll: true });
  };
  const openAll = () => {
    const outer = endpoints.map((endpoint) => one("details", endpoint.node));
    const open = outer.some((details) => !details.open);
    for (const details of outer) details.open = open;
    one("#all").textContent = open ? "Close all" : "Open all";
  };
  const toggleExample = (finding) => {
    const pair = one(".pair", finding.closest(".group, .endpoint"));
    if (pair) pair.open = !pair.open;
  };

  if (form) {
    form.hidden = false;
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(changed));
    one("#all").addEventListener("click", openAll);
    addEventListener("hashchange", read);
    apply();
    read();
  }

  const keys = {
    "/": () => form?.elements.q.focus(),
    "?": () => help.showModal(),
    t: nextTheme,
    j: () => step(1), ArrowDown: () => step(1),
    k: () => step(-1), ArrowUp: () => step(-1),
    e: () => form && openAll(),
    n: () => form?.elements.quiet?.click(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const target = event.target, inForm = target.closest?.("input, select, textarea");
    if (event.key === "Escape" && form) {
      if (inForm) target.blur();
      else { form.reset(); }
      return;
    }
    const finding = target.closest?.(".finding");
    if (event.key === "Enter" && target === finding) { toggleExample(finding); event.preventDefault(); return; }
    // Arrows scroll the page as everywhere, unless a finding has the focus.
    const isArrow = event.key.startsWith("Arrow");
    if (inForm || (isArrow && !finding) || !Object.hasOwn(keys, event.key)) return;
    keys[event.key]();
    event.preventDefault();
  });
})();
