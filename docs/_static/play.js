"use strict";
// The latent plane and the garment's dials of play.md: decoders in ONNX files, drawn as they answer.

const SIDE = 28; // pixels of an image
const NEAREST = 5; // codes shown beside the decoded digit

const make = (name, properties = {}) => Object.assign(document.createElement(name), properties);
const short = (value) => value.toFixed(2).replace("-", "−");

async function load(address, kind = "json") {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} is not here (${answer.status})`);
  return answer[kind]();
}

// ------------------------------------------------------------------ decoders

class Decoder {
  // One exported network. Codes that come while it still draws are skipped, but for the last.
  constructor(session) {
    this.session = session;
    this.waiting = null;
    this.busy = false;
  }

  static async open(address, runtime) {
    ort.env.wasm.wasmPaths = new URL(runtime, document.baseURI).href;
    ort.env.wasm.numThreads = 1; // more would need headers that a static site does not send
    return new Decoder(await ort.InferenceSession.create(new Uint8Array(await load(address, "arrayBuffer"))));
  }

  async decode(z) {
    const input = new ort.Tensor("float32", Float32Array.from(z), [1, z.length]);
    return (await this.session.run({ z: input })).image.data;
  }

  async show(z, draw) {
    this.waiting = z;
    if (this.busy) return;
    this.busy = true;
    while (this.waiting) {
      const next = this.waiting;
      this.waiting = null;
      draw(await this.decode(next), next);
    }
    this.busy = false;
  }
}

function paint(canvas, pixels) {
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((value, i) => image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// ------------------------------------------------------------------ controls

function slider(name, low, high, value, onMove) {
  const input = make("input", { type: "range", min: low, max: high, step: (high - low) / 200, value });
  const output = make("output", { textContent: short(value) });
  const label = make("label");
  label.append(make("span", { textContent: name }), input, output);
  const set = (number) => {
    input.value = number;
    output.textContent = short(number);
  };
  input.addEventListener("input", () => {
    output.textContent = short(Number(input.value));
    onMove(Number(input.value));
  });
  return { label, set };
}

const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));

// ------------------------------------------------------------------ the plane

class Plane {
  constructor(root, about, sheet) {
    this.root = root;
    this.about = about;
    this.sheet = sheet;
    this.canvas = root.querySelector(".play-plane");
    this.decoders = {};
    this.z = [0.5, -1];
    about.models.forEach((model, i) => this.addModel(model, i === 1));
    this.addLegend();
    this.addPointer();
  }

  addModel(model, chosen) {
    const input = make("input", { type: "radio", name: "model", value: model.name, checked: chosen });
    const label = make("label");
    label.append(input, ` ${model.title}`);
    this.root.querySelector(".play-models").append(label);
    input.addEventListener("change", () => this.choose(model));
    if (chosen) this.first = model;
  }

  addLegend() {
    this.about.colours.forEach((colour, digit) => {
      const entry = make("span", { textContent: `● ${digit} ` });
      entry.style.color = colour;
      this.root.querySelector(".play-legend").append(entry);
    });
  }

  addPointer() {
    const follow = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = this.model.corners;
      const across = (event.clientX - box.left) / box.width;
      const up = 1 - (event.clientY - box.top) / box.height;
      this.move([x[0] + across * (x[1] - x[0]), y[0] + up * (y[1] - y[0])]);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      follow(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.canvas.hasPointerCapture(event.pointerId)) follow(event);
    });
    this.canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      const step = event.shiftKey ? 0.1 : 0.01;
      this.move(this.z.map((value, i) => value + way[i] * step * (this.model.corners[i][1] - this.model.corners[i][0])));
    });
  }

  async choose(model) {
    const { folder, runtime } = this.root.dataset;
    this.model = model;
    this.decoders[model.name] ??= await Decoder.open(`${folder}${model.name}.onnx`, runtime);
    const sliders = this.root.querySelector(".play-sliders");
    this.sliders = model.corners.map(([low, high], i) =>
      slider(`z${"₁₂"[i]}`, low, high, 0, (value) => this.move(this.z.map((old, j) => (i === j ? value : old)))),
    );
    sliders.replaceChildren(...this.sliders.map((one) => one.label));
    this.move(this.z);
  }

  move(z) {
    const model = this.model;
    this.z = z.map((value, i) => clamp(value, model.corners[i]));
    this.sliders.forEach((one, i) => one.set(this.z[i]));
    this.drawCodes();
    this.drawNearest();
    const decoder = this.decoders[model.name];
    decoder?.show(this.z, (pixels, at) => {
      if (this.model !== model) return;
      paint(this.root.querySelector(".play-image"), pixels);
      this.root.querySelector(".play-place").textContent = `${model.title}, decoded at (${at.map(short).join(", ")})`;
    });
  }

  place([x, y]) {
    const [across, up] = this.model.corners;
    const { width, height } = this.canvas;
    return [((x - across[0]) / (across[1] - across[0])) * width, (1 - (y - up[0]) / (up[1] - up[0])) * height];
  }

  drawCodes() {
    const pen = this.canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.model.codes.forEach((code, i) => {
      pen.fillStyle = this.about.colours[this.about.labels[i]];
      pen.beginPath();
      pen.arc(...this.place(code), 5, 0, 7);
      pen.fill();
    });
    const [x, y] = this.place(this.z);
    for (const [width, colour] of [[12, "#fff"], [6, "#000"]]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.moveTo(x - 26, y);
      pen.lineTo(x + 26, y);
      pen.moveTo(x, y - 26);
      pen.lineTo(x, y + 26);
      pen.stroke();
    }
  }

  drawNearest() {
    const far = this.model.codes.map(([x, y], i) => [Math.hypot(x - this.z[0], y - this.z[1]), i]);
    const nearest = far.sort((a, b) => a[0] - b[0]).slice(0, NEAREST);
    const row = this.root.querySelector(".play-nearest");
    row.replaceChildren(...nearest.map(([distance, i]) => this.image(i, distance)));
  }

  image(i, distance) {
    const digit = this.about.labels[i];
    const canvas = make("canvas", { width: SIDE, height: SIDE });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `a ${digit} of the test set`);
    const { columns } = this.about;
    const from = [SIDE * (i % columns), SIDE * Math.floor(i / columns), SIDE, SIDE];
    canvas.getContext("2d").drawImage(this.sheet, ...from, 0, 0, SIDE, SIDE);
    const figure = make("figure");
    figure.append(canvas, make("figcaption", { textContent: `a ${digit}, ${short(distance)} away` }));
    return figure;
  }
}

// ------------------------------------------------------------------ the garment

class Garment {
  constructor(root, about, decoder) {
    this.root = root;
    this.about = about;
    this.decoder = decoder;
    const select = root.querySelector(".play-start");
    about.start.forEach(({ name }, i) => select.append(make("option", { value: i, textContent: name })));
    select.value = about.start.length - 1;
    this.sliders = about.dials.map(({ latent, nats }, i) =>
      slider(`no. ${i + 1} (${nats} nats)`, -3, 3, 0, (value) => {
        this.z[latent] = value;
        this.draw();
      }),
    );
    root.querySelector(".play-sliders").append(...this.sliders.map((one) => one.label));
    select.addEventListener("change", () => this.reset());
    root.querySelector(".play-reset").addEventListener("click", () => this.reset());
    this.reset();
  }

  reset() {
    const start = this.about.start[this.root.querySelector(".play-start").value];
    this.z = [...start.code];
    this.sliders.forEach((one, i) => one.set(this.z[this.about.dials[i].latent]));
    this.draw();
  }

  draw() {
    this.decoder.show([...this.z], (pixels) => {
      paint(this.root.querySelector(".play-image"), pixels);
      const places = this.about.dials.map(({ latent }) => short(this.z[latent]));
      this.root.querySelector(".play-place").textContent = `decoded at ${places.join(", ")}`;
    });
  }
}

// ------------------------------------------------------------------ both

async function picture(address) {
  const image = make("img", { src: address });
  await image.decode();
  return image;
}

const starts = {
  async "plane-app"(root) {
    const { folder } = root.dataset;
    const about = await load(`${folder}planes.json`);
    const plane = new Plane(root, about, await picture(`${folder}digits.png`));
    await plane.choose(plane.first);
    return about.notice;
  },
  async "garment-app"(root) {
    const { folder, runtime } = root.dataset;
    const about = await load(`${folder}garment.json`);
    new Garment(root, about, await Decoder.open(`${folder}garment.onnx`, runtime));
    return about.notice;
  },
};

for (const [name, start] of Object.entries(starts)) {
  const root = document.getElementById(name);
  const status = root.querySelector(".play-status");
  start(root).then(
    (notice) => {
      root.querySelector(".play-controls").hidden = false;
      status.textContent = notice || "";
      root.dataset.ready = "yes";
    },
    (error) => {
      status.textContent =
        location.protocol === "file:"
          ? "Browsers load no network from a file: run python -m http.server in the site's folder, and open this page there."
          : `The decoders could not be loaded: ${error.message}. make site puts them here.`;
    },
  );
}
