"use strict";
const at = (id) => document.getElementById(id);
const main = document.querySelector("main");
const drop = document.querySelector(".drop");
const slider = document.querySelector(".slider");
let photograph = null;
let latest = 0;
let address = null;

const say = (text, look = "") => {
  at("status").textContent = text;
  at("status").className = look;
};

const enhance = async () => {
  if (!photograph) return;
  const mine = ++latest;
  const file = photograph;
  at("result").hidden = true;
  if (file.size > main.dataset.largestMb * 1e6) {
    say(`${file.name} is larger than ${main.dataset.largestMb} MB`, "wrong");
    return;
  }
  say(`Enhancing ${file.name}`, "busy");
  try {
    const answer = await fetch(`enhance?network=${encodeURIComponent(at("network").value)}`, {
      method: "POST",
      body: file,
      headers: { "Content-Type": "application/octet-stream", [main.dataset.header]: "1" },
    });
    const result = await answer.json();
    if (mine !== latest) return; // another photograph or network was chosen meanwhile
    if (!answer.ok) {
      say(`${file.name}: ${result.error}`, "wrong");
      return;
    }
    await show(result, file.name);
    if (mine !== latest) return;
    const megapixels = (result.width * result.height) / 1e6;
    say(`${result.seconds.toFixed(2)} s for ${result.width}×${result.height} (${megapixels.toFixed(1)} megapixels) by ${result.network}`);
    at("result").hidden = false;
  } catch (error) {
    if (mine === latest) say(`${file.name}: no answer. Does the program still run?`, "wrong");
  }
};

const show = async (result, name) => {
  at("before").src = result.before;
  at("after").src = result.after;
  await Promise.all([at("before").decode(), at("after").decode()]);
  if (address) URL.revokeObjectURL(address);
  const bytes = Uint8Array.from(atob(result.file), (character) => character.charCodeAt(0));
  address = URL.createObjectURL(new Blob([bytes], { type: result.media_type }));
  at("save").href = address;
  at("save").download = `${name.replace(/\.[^.]*$/, "")}-enhanced${result.suffix}`;
};

const take = (files) => {
  if (files.length > 1) return say("One photograph at a time, please.", "wrong");
  if (files.length === 1) {
    photograph = files[0];
    enhance();
  }
};

at("photo").addEventListener("change", (event) => take(event.target.files));
at("network").addEventListener("change", enhance);
at("divide").addEventListener("input", (event) => slider.style.setProperty("--at", `${event.target.value}%`));
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // a photograph that misses the field is not opened instead of the page
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
