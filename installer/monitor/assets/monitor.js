// Keeps an open page up to date: each new state is an event; then the page reads itself again and
// the parts marked `data-live` are exchanged. Without this script every page works by hand.
"use strict";
(() => {
  const told = document.getElementById("live");
  let again = false;
  let busy = false;

  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) { location.reload(); return; }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const now = fresh.getElementById(part.id);
        // Nothing is taken away from under the keyboard.
        if (!now || part.contains(document.activeElement) || now.innerHTML === part.innerHTML) continue;
        part.replaceChildren(...now.childNodes);
      }
    } finally {
      busy = false;
      if (again) { again = false; refresh(); }
    }
  }

  const events = new EventSource("/live");
  events.addEventListener("state", () => { told.textContent = "kept up to date · "; if (!document.hidden) refresh(); });
  events.addEventListener("error", () => { told.textContent = "not kept up to date: reload by hand · "; });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  // An open stream would keep a place that another page may need.
  addEventListener("pagehide", () => events.close());
})();
