"use strict";
// Stick figures on canvases: one camera angle and one clock for all, only those in view are drawn.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const FOCAL = 1.7, MARGIN = 0.44, LIMB = 0.06, HEAD = 0.1, START = { azimuth: 20, elevation: 16, zoom: 1 };
  const FLOOR = "#f6f4ef", GRID = "#dcd7cc", SHADOW = "#e4dfd4", TRUNK = "#3a3f47";

  // ---- motions -------------------------------------------------------------------------------------------------

  // Base64 of little-endian int16 millimetres -> metres, frame after frame.
  function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({ length: bytes.length / 2 }, (_, k) => view.getInt16(2 * k, true) / 1000);
  }

  // The box of all motions of a scene: all its cameras look at the middle of the same one.
  function boxOf(motions) {
    const low = [Infinity, 0, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const motion of motions) {
      for (let k = 0; k < motion.length; k++) {
        low[k % 3] = Math.min(low[k % 3], motion[k]);
        high[k % 3] = Math.max(high[k % 3], motion[k]);
      }
    }
    return { low, high, centre: low.map((l, a) => (l + high[a]) / 2), motions };
  }

  const size = 3 * data.joints;
  const view = { ...START }, cells = [];
  let time = 0, playing = true, speed = 1, duration = 0;

  for (const scene of data.scenes) {
    const motions = scene.motions.map(unpack), truth = scene.truth && unpack(scene.truth);
    const box = boxOf(truth ? [...motions, truth] : motions);
    for (const motion of box.motions) duration = Math.max(duration, (motion.length / size - 1) / data.fps);
    const heading = document.createElement("tr"), row = document.createElement("tr");
    heading.innerHTML = `<th colspan="${data.methods.length}" scope="colgroup"></th>`;
    heading.firstChild.textContent = scene.caption;
    motions.forEach((motion, k) => {
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${data.methods[k]}: ${scene.caption}`);
      row.appendChild(document.createElement("td")).appendChild(canvas);
      cells.push({ canvas, motion, truth, box, visible: false });
    });
    $("scenes").append(...(scene.caption ? [heading] : []), row);
  }
  for (const method of data.methods) {
    $("methods").appendChild(Object.assign(document.createElement("th"), { textContent: method, scope: "col" }));
  }
  document.querySelector("table").classList.toggle("wide", data.methods.length > 2);
  document.querySelector("table").style.maxWidth = `${24 * data.methods.length}rem`;

  // ---- drawing -------------------------------------------------------------------------------------------------

  // Turns (x, y, z) about the box's middle: right, down and away in the camera's axes, without its distance.
  function turner(centre) {
    const a = view.azimuth * Math.PI / 180, e = view.elevation * Math.PI / 180;
    const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
    return (x, y, z) => {
      const [u, v, w] = [x - centre[0], y - centre[1], z - centre[2]];
      const forward = sa * u + ca * w; // towards the camera, level
      return [ca * u - sa * w, se * forward - ce * v, -(ce * forward + se * v)];
    };
  }

  // How far away all joints of the scene just fit, from this direction; remembered while it stays the same.
  function distanceOf(box) {
    const from = `${view.azimuth} ${view.elevation}`;
    if (box.from !== from) {
      const turn = turner(box.centre);
      box.from = from;
      box.distance = 3;
      for (const motion of box.motions) {
        for (let k = 0; k < motion.length; k += 3) {
          const [x, y, z] = turn(motion[k], motion[k + 1], motion[k + 2]);
          box.distance = Math.max(box.distance, FOCAL / MARGIN * Math.max(Math.abs(x), Math.abs(y)) - z);
        }
      }
    }
    return box.distance / view.zoom;
  }

  function draw({ canvas, motion, truth, box }) {
    const pixels = Math.round(canvas.clientWidth * Math.min(devicePixelRatio, 2));
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const pen = canvas.getContext("2d"), turn = turner(box.centre), distance = distanceOf(box);
    const place = (x, y, z) => {
      const [u, v, away] = turn(x, y, z), scale = FOCAL * pixels / Math.max(away + distance, 0.1);
      return [pixels / 2 + u * scale, pixels / 2 + v * scale, away, scale];
    };
    pen.clearRect(0, 0, pixels, pixels);
    pen.lineCap = pen.lineJoin = "round";
    floor(pen, box, place, pixels);
    trail(pen, motion, place, pixels);
    const t = frame(motion);
    body(pen, (k) => place(motion[t + 3 * k], 0, motion[t + 3 * k + 2]), () => SHADOW, null);
    if (truth && $("ghosts").checked) {
      const s = frame(truth);
      body(pen, (k) => place(truth[s + 3 * k], truth[s + 3 * k + 1], truth[s + 3 * k + 2]), () => data.ghost, data.ghost);
    }
    body(pen, (k) => place(motion[t + 3 * k], motion[t + 3 * k + 1], motion[t + 3 * k + 2]), (bone) => bone[2], TRUNK);
  }

  // Where the present frame begins; a motion that has ended holds its last pose.
  const frame = (motion) => size * Math.min(Math.floor(time * data.fps + 1e-6), motion.length / size - 1);

  function line(pen, points, colour, width) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(x, y);
    pen.stroke();
  }

  function floor(pen, box, place, pixels) {
    const [x0, z0] = [0, 2].map((a) => Math.floor(2 * (box.low[a] - 0.4)) / 2);
    const [x1, z1] = [0, 2].map((a) => Math.ceil(2 * (box.high[a] + 0.4)) / 2);
    pen.fillStyle = FLOOR;
    pen.beginPath();
    for (const [x, z] of [[x0, z0], [x1, z0], [x1, z1], [x0, z1]]) pen.lineTo(...place(x, 0, z).slice(0, 2));
    pen.fill();
    for (let x = x0; x <= x1; x += 0.5) line(pen, [place(x, 0, z0), place(x, 0, z1)], GRID, pixels / 400);
    for (let z = z0; z <= z1; z += 0.5) line(pen, [place(x0, 0, z), place(x1, 0, z)], GRID, pixels / 400);
  }

  function trail(pen, motion, place, pixels) {
    const points = [];
    for (let k = 0; k < motion.length; k += size) points.push(place(motion[k], 0, motion[k + 2]));
    line(pen, points, data.ghost, pixels / 240);
  }

  // Bones from the farthest to the nearest, each with a white edge where it crosses another.
  function body(pen, joint, colour, head) {
    const at = Array.from({ length: data.joints }, (_, k) => joint(k));
    const order = data.bones.map((bone) => [at[bone[0]][2] + at[bone[1]][2], bone]).sort((a, b) => b[0] - a[0]);
    for (const [, bone] of order) {
      const [a, b] = [at[bone[0]], at[bone[1]]], width = Math.max(LIMB * (a[3] + b[3]) / 2, 1.5);
      if (head === TRUNK) line(pen, [a, b], "white", width + 2);
      line(pen, [a, b], colour(bone), width);
    }
    if (head && data.head !== null) {
      const [x, y, , scale] = at[data.head];
      pen.fillStyle = head;
      pen.beginPath();
      pen.arc(x, y, HEAD * scale, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  // ---- one clock, one camera ---------------------------------------------------------------------------------

  let asked = false;
  function redraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      $("time").value = time;
      $("seconds").textContent = `${time.toFixed(2)} s`;
      for (const cell of cells) if (cell.visible) draw(cell);
    });
  }

  let before = null;
  function tick(now) {
    if (playing && before !== null) {
      time += speed * Math.min(now - before, 100) / 1000;
      if (time > duration + 0.5) time = 0; // the last pose stays half a second
      redraw();
    }
    before = now;
    requestAnimationFrame(tick);
  }

  function setPlaying(value) {
    playing = value;
    $("play").textContent = playing ? "❚❚" : "▶";
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  function turn(azimuth, elevation) {
    view.azimuth = (view.azimuth + azimuth) % 360;
    view.elevation = Math.min(89, Math.max(-10, view.elevation + elevation));
    redraw();
  }

  function zoom(factor) {
    view.zoom = Math.min(6, Math.max(0.4, view.zoom * factor));
    redraw();
  }

  function step(frames) {
    setPlaying(false);
    time = Math.min(duration, Math.max(0, (Math.floor(time * data.fps + 1e-6) + frames) / data.fps));
    redraw();
  }

  const inView = new IntersectionObserver((entries) => {
    for (const entry of entries) cells.find((cell) => cell.canvas === entry.target).visible = entry.isIntersecting;
    redraw();
  }, { rootMargin: "200px" });
  for (const { canvas } of cells) {
    inView.observe(canvas);
    canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) turn(-event.movementX / 3, event.movementY / 3);
    };
  }

  $("time").max = duration;
  $("time").oninput = () => { setPlaying(false); time = Number($("time").value); redraw(); };
  $("play").onclick = () => setPlaying(!playing);
  $("speed").onchange = () => { speed = Number($("speed").value); };
  $("ghosts").onchange = redraw;
  $("ghosts-label").hidden = !data.scenes.some((scene) => scene.truth);
  $("reset").onclick = () => { Object.assign(view, START); redraw(); };
  document.addEventListener("keydown", (event) => {
    if (["INPUT", "SELECT", "BUTTON"].includes(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = {
      " ": () => setPlaying(!playing), ",": () => step(-1), ".": () => step(1),
      "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2),
      ArrowLeft: () => turn(-10, 0), ArrowRight: () => turn(10, 0), ArrowUp: () => turn(0, 5), ArrowDown: () => turn(0, -5),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  window.addEventListener("resize", redraw);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) setPlaying(false);
  requestAnimationFrame(tick);
  redraw();
})();
