// Draws a digit as strokes, rotates the strokes, and shows what two networks make of the 28 x 28 pixels.
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

const SIZE = 28;
const FINE = 10; // pixels of the drawing surface for each of the network's
const PEN = 2.6; // width of a stroke, in pixels of the network

// Strokes of each digit; x to the right, y down.
const DIGITS = [
  [[[5, 1], [3, 2], [2, 5], [2, 8], [3, 11], [5, 12], [7, 11], [8, 8], [8, 5], [7, 2], [5, 1]]],
  [[[3, 3], [5, 1], [5, 12]]],
  [[[2, 3], [4, 1], [6, 1], [8, 3], [7, 6], [2, 12], [8, 12]]],
  [[[2, 2], [5, 1], [7, 2], [7, 4], [5, 6], [4, 6]], [[5, 6], [8, 8], [8, 10], [6, 12], [3, 12], [2, 11]]],
  [[[3, 1], [2, 7], [8, 7]], [[7, 2], [6, 12]]],
  [[[8, 1], [3, 1], [3, 6], [5, 5], [7, 6], [8, 9], [6, 12], [3, 12], [2, 11]]],
  [[[7, 1], [4, 4], [2, 8], [3, 11], [5, 12], [8, 11], [8, 8], [6, 7], [3, 8]]],
  [[[1, 3], [2, 1], [8, 1], [7, 4], [5, 8], [4, 13]]],
  [[[5, 6], [3, 4], [3, 2], [5, 1], [7, 2], [7, 4], [5, 6], [2, 9], [3, 12], [6, 12], [8, 10], [7, 8], [5, 6]]],
  [[[7, 2], [5, 1], [3, 2], [3, 4], [5, 5], [7, 3], [7, 1]], [[7, 2], [7, 7], [6, 13]]],
];

const element = (id) => document.getElementById(id);
const surface = new OffscreenCanvas(SIZE * FINE, SIZE * FINE);
let strokes = [];
let nets = [];
let running = null;

/** The strokes in pixels of the network, from the center of their extent, as large as the digits of MNIST. */
function placed() {
  const points = strokes.flat();
  if (!points.length) return [];
  const range = [0, 1].map((i) => [Math.min(...points.map((p) => p[i])), Math.max(...points.map((p) => p[i]))]);
  const extent = Math.max(...range.map(([low, high]) => high - low), 1e-6);
  const scale = 17 / extent;
  return strokes.map((stroke) => stroke.map((p) => p.map((c, i) => (c - (range[i][0] + range[i][1]) / 2) * scale)));
}

/** The pixels of the digit rotated counter-clockwise; quarter turns move pixels, so that they are exact. */
function pixels(degrees) {
  const quarters = Math.floor(degrees / 90) % 4;
  const rest = ((degrees % 90) * Math.PI) / 180;
  const pen = surface.getContext('2d', {willReadFrequently: true});
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = '#000';
  pen.fillRect(0, 0, surface.width, surface.height);
  pen.setTransform(FINE, 0, 0, FINE, surface.width / 2, surface.height / 2);
  pen.rotate(-rest);
  Object.assign(pen, {strokeStyle: '#fff', lineWidth: PEN, lineCap: 'round', lineJoin: 'round'});
  for (const stroke of placed()) {
    pen.beginPath();
    stroke.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (stroke.length === 1) pen.lineTo(stroke[0][0] + 0.01, stroke[0][1]);
    pen.stroke();
  }
  const data = pen.getImageData(0, 0, surface.width, surface.height).data;
  let image = new Float32Array(SIZE * SIZE);
  for (let y = 0; y < surface.height; y++) {
    for (let x = 0; x < surface.width; x++) {
      const to = Math.floor(y / FINE) * SIZE + Math.floor(x / FINE);
      image[to] += data[4 * (y * surface.width + x)] / (255 * FINE * FINE);
    }
  }
  for (let i = 0; i < quarters; i++) {
    image = image.map((_, at) => image[(at % SIZE) * SIZE + SIZE - 1 - Math.floor(at / SIZE)]);
  }
  return image;
}

/** The probabilities and the vectors (H, W, 2) that a network gives. */
async function answer(net, image) {
  const input = new Tensor(image.map((gray) => 255 * gray), [1, SIZE, SIZE, 1]);
  const outputs = await net.model.run([input]);
  const arrays = [];
  for (const output of outputs) {
    const moved = await output.moveTo('wasm');
    arrays.push(Float32Array.from(moved.toTypedArray()));
    moved.delete();
  }
  const [logits, vectors] = arrays.sort((a, b) => a.length - b.length);
  const top = Math.max(...logits);
  const weights = Array.from(logits, (value) => Math.exp(value - top));
  const sum = weights.reduce((a, b) => a + b, 0);
  const probabilities = weights.map((weight) => weight / sum);
  return {digit: probabilities.indexOf(Math.max(...probabilities)), logits: Array.from(logits), probabilities, vectors};
}

function paint(canvas, image) {
  const pen = canvas.getContext('2d');
  const step = canvas.width / SIZE;
  image.forEach((value, at) => {
    const gray = Math.round(255 * value);
    pen.fillStyle = `rgb(${gray},${gray},${gray})`;
    pen.fillRect((at % SIZE) * step, Math.floor(at / SIZE) * step, step, step);
  });
}

function paintVectors(canvas, vectors) {
  const pen = canvas.getContext('2d');
  const side = Math.round(Math.sqrt(vectors.length / 2));
  const step = canvas.width / side;
  const longest = Math.max(...Array.from({length: side * side}, (_, i) => Math.hypot(vectors[2 * i], vectors[2 * i + 1])));
  pen.fillStyle = '#000';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.lineWidth = 1.5;
  for (let i = 0; i < side * side; i++) {
    const [u, v] = [0, 1].map((c) => (0.9 * step * vectors[2 * i + c]) / (longest || 1));
    if (Math.hypot(u, v) < 0.03 * step) continue;
    const [x, y] = [((i % side) + 0.5) * step, (Math.floor(i / side) + 0.5) * step];
    pen.strokeStyle = `hsl(${(Math.atan2(v, u) * 180) / Math.PI},80%,65%)`;
    pen.beginPath();
    pen.moveTo(x - u / 2, y + v / 2);
    pen.lineTo(x + u / 2, y - v / 2); // y is up
    pen.stroke();
    pen.fillStyle = pen.strokeStyle;
    pen.fillRect(x + u / 2 - 1.5, y - v / 2 - 1.5, 3, 3);
  }
}

function panel(net) {
  const section = document.createElement('section');
  section.id = net.name;
  const heading = Object.assign(document.createElement('h2'), {textContent: net.title});
  net.field = Object.assign(document.createElement('canvas'), {width: 224, height: 224});
  net.answer = Object.assign(document.createElement('div'), {className: 'answer', textContent: '–'});
  net.bars = Object.assign(document.createElement('div'), {className: 'bars'});
  for (let digit = 0; digit < 10; digit++) {
    const bar = document.createElement('div');
    bar.append(document.createElement('span'), String(digit));
    net.bars.append(bar);
  }
  const about = Object.assign(document.createElement('p'), {className: 'about', textContent: net.about});
  net.moved = Object.assign(document.createElement('p'), {className: 'moved'});
  section.append(heading, net.field, net.answer, net.bars, net.moved, about);
  element('networks').append(section);
}

async function show() {
  const degrees = Number(element('angle').value);
  element('degrees').textContent = degrees;
  const image = pixels(degrees);
  paint(element('pad'), image);
  const found = {};
  for (const net of nets) {
    const result = await answer(net, image);
    if (net.strokes !== strokes || net.points !== strokes.flat().length) {
      Object.assign(net, {upright: await answer(net, pixels(0)), strokes, points: strokes.flat().length});
    }
    result.moved = distance(result.logits, net.upright.logits);
    found[net.name] = result;
    net.moved.textContent = `moved by ${(100 * result.moved).toFixed(1)} % since 0°`;
    paintVectors(net.field, result.vectors);
    net.answer.textContent = strokes.length ? result.digit : '–';
    [...net.bars.children].forEach((bar, digit) => {
      bar.firstChild.style.height = `${Math.round(64 * result.probabilities[digit])}px`;
      bar.className = digit === result.digit ? 'best' : '';
    });
  }
  return found;
}

/** How far two lists of numbers are apart, relative to the length of the second. */
function distance(a, b) {
  return Math.hypot(...a.map((value, i) => value - b[i])) / Math.hypot(...b);
}

/** Shows the latest state once the one under way is shown; two runs of a network never overlap. */
function refresh() {
  const next = (running ?? Promise.resolve()).then(show);
  running = next.catch((error) => { element('status').textContent = String(error); });
  return next;
}

function pick(digit) {
  strokes = DIGITS[digit].map((stroke) => smooth(smooth(stroke)));
  return refresh();
}

/** Cuts the corners of a stroke. */
function smooth(stroke) {
  const middle = [];
  for (let i = 0; i + 1 < stroke.length; i++) {
    const [a, b] = [stroke[i], stroke[i + 1]];
    for (const t of [0.25, 0.75]) middle.push(a.map((c, k) => c + t * (b[k] - c)));
  }
  return [stroke[0], ...middle, stroke[stroke.length - 1]];
}

function listen() {
  const pad = element('pad');
  let drawing = false;
  let drawn = false; // whether what is there was drawn, and a new stroke adds to it
  const point = (event) => [event.offsetX, event.offsetY];
  pad.addEventListener('pointerdown', (event) => {
    drawing = true;
    const adds = drawn && !Number(element('angle').value);
    strokes = adds ? placed().map((stroke) => stroke.map((p) => p.map((c) => (c + SIZE / 2) * FINE))) : [];
    drawn = true;
    element('angle').value = 0;
    strokes.push([point(event)]);
    pad.setPointerCapture(event.pointerId);
  });
  pad.addEventListener('pointermove', (event) => {
    if (!drawing) return;
    strokes[strokes.length - 1].push(point(event));
    const pen = pad.getContext('2d');
    Object.assign(pen, {strokeStyle: '#fff', lineWidth: PEN * FINE, lineCap: 'round'});
    const [from, to] = strokes[strokes.length - 1].slice(-2);
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
  });
  pad.addEventListener('pointerup', () => { drawing = false; refresh(); });
  element('angle').addEventListener('input', refresh);
  element('clear').addEventListener('click', () => { strokes = []; drawn = false; refresh(); });
  for (let digit = 0; digit < 10; digit++) {
    const button = Object.assign(document.createElement('button'), {type: 'button', textContent: digit});
    button.addEventListener('click', () => { drawn = false; pick(digit); });
    element('picks').append(button);
  }
  setInterval(() => {
    if (!element('spin').checked || drawing) return;
    element('angle').value = (Number(element('angle').value) + 2) % 360;
    refresh();
  }, 60);
}

async function start() {
  await loadLiteRt('/litertjs/core/wasm/');
  nets = await (await fetch('/networks.json')).json();
  for (const net of nets) {
    net.model = await loadAndCompile(`/networks/${net.name}.tflite`, {accelerator: 'wasm'});
    panel(net);
  }
  listen();
  await pick(4);
  element('status').textContent = 'Lines are features inside the networks, two numbers a pixel drawn as a vector.';
  document.body.dataset.ready = 'true';
}

// For tests: what the networks say of a digit at an angle.
window.demo = {
  async read(digit, degrees) {
    element('angle').value = degrees;
    const found = await pick(digit);
    return Object.fromEntries(Object.entries(found).map(([name, r]) => [name, {...r, vectors: Array.from(r.vectors)}]));
  },
};
start().catch((error) => {
  element('status').textContent = `The page could not start: ${error}`;
  document.body.dataset.failed = String(error);
});
