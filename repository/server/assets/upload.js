// Publishes an image and its manifest from the page: the image by the tus 1.0 protocol in pieces, so
// that a broken connection goes on where it stopped, then the manifest.
"use strict";
(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  form.hidden = false;
  const get = (id) => document.getElementById(id);
  const PIECE = 16 * 1024 * 1024;
  const TUS = { "Tus-Resumable": "1.0.0" };

  const say = (text) => { get("state").textContent = text; };
  const fail = (text) => { get("failure").textContent = text; get("failure").hidden = false; say(""); };
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  async function reasonOf(response) {
    try {
      const problem = await response.json();
      return [problem.title, problem.detail, ...(problem.reasons || [])].filter(Boolean).join(" ");
    } catch { return `The server answered ${response.status}.`; }
  }

  const refusal = async (response) => Object.assign(new Error(await reasonOf(response)), { final: true });

  async function placeOf(manifest) {
    const response = await fetch("/api/v1/place", { method: "POST", body: manifest, headers: { "Content-Type": "application/xml" } });
    if (!response.ok) throw await refusal(response);
    return response.json();
  }

  async function begin(image, path) {
    const memory = `stratus:${path}:${image.size}:${image.lastModified}`;
    const known = localStorage.getItem(memory);
    if (known) {
      const head = await fetch(known, { method: "HEAD", headers: TUS });
      if (head.ok) return { url: known, offset: Number(head.headers.get("Upload-Offset")), memory };
      localStorage.removeItem(memory);
    }
    const response = await fetch("/uploads", {
      method: "POST",
      headers: { ...TUS, "Upload-Length": String(image.size), "Upload-Metadata": `path ${btoa(path)}` },
    });
    if (!response.ok) throw await refusal(response);
    const url = response.headers.get("Location");
    localStorage.setItem(memory, url);
    return { url, offset: 0, memory };
  }

  async function send(image, upload) {
    let failures = 0;
    while (upload.offset < image.size) {
      try {
        const response = await fetch(upload.url, {
          method: "PATCH",
          headers: { ...TUS, "Upload-Offset": String(upload.offset), "Content-Type": "application/offset+octet-stream" },
          body: image.slice(upload.offset, upload.offset + PIECE),
        });
        if (response.status >= 400 && response.status !== 409 && response.status < 500) throw await refusal(response);
        if (response.ok) { upload.offset = Number(response.headers.get("Upload-Offset")); failures = 0; }
        else throw new Error(await reasonOf(response));
      } catch (error) {
        if (error.final || ++failures > 8) throw error;
        say(`The connection broke; going on in ${failures} s.`);
        await pause(1000 * failures);
        const head = await fetch(upload.url, { method: "HEAD", headers: TUS }).catch(() => null);
        if (head && head.ok) upload.offset = Number(head.headers.get("Upload-Offset"));
      }
      get("progress").value = upload.offset / image.size;
      say(`${Math.floor((100 * upload.offset) / image.size)} % of the image sent.`);
    }
    localStorage.removeItem(upload.memory);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    get("failure").hidden = true;
    get("start").disabled = true;
    get("progress").hidden = false;
    try {
      const manifest = get("manifest").files[0];
      const image = get("image").files[0];
      const place = await placeOf(manifest);
      await send(image, await begin(image, place.image));
      say("Checking.");
      const response = await fetch(place.manifest, { method: "PUT", body: manifest, headers: { "Content-Type": "application/xml" } });
      if (!response.ok) throw await refusal(response);
      window.location.assign(place.page);
    } catch (error) {
      fail(error.message);
    } finally {
      get("start").disabled = false;
    }
  });
})();
