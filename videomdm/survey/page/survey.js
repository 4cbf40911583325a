"use strict";
// One participant's way through the survey. What was answered lives in the browser's storage, so that a reload or a
// lost connection loses nothing; answers go to the server one by one, to an address at the end, or into a file.
(() => {
  const $ = (id) => document.getElementById(id);
  const survey = JSON.parse($("survey").textContent);
  const votesGo = document.documentElement.dataset.votes; // "server", "download" or an address
  const storageKey = `survey-${survey.survey}`;
  const SIDES = ["left", "right"];

  // ---- what is remembered ------------------------------------------------------------------------------------

  let state = load() || { participant: null, slot: null, code: null, votes: [], begun: false, handedIn: false };

  function load() {
    try {
      return JSON.parse(localStorage.getItem(storageKey));
    } catch {
      return null; // storage switched off or damaged: the survey works, but does not survive a reload
    }
  }

  function save() {
    try {
      localStorage.setItem(storageKey, JSON.stringify(state));
    } catch { /* as above */ }
  }

  function random(letters, n) {
    return Array.from(crypto.getRandomValues(new Uint8Array(n)), (x) => letters[x % letters.length]).join("");
  }

  // ---- the server --------------------------------------------------------------------------------------------

  const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

  // Send until the server has answered; resolves to the status and what it said.
  async function post(path, content) {
    for (let wait = 1; ; wait = Math.min(2 * wait, 30)) {
      try {
        const answer = await fetch(path, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(content),
        });
        const said = await answer.json();
        if (answer.status < 500 && answer.status !== 429) {
          $("connection").hidden = true;
          return { status: answer.status, said };
        }
      } catch { /* no connection, or an answer that was cut off */ }
      $("connection").hidden = false;
      await pause(wait);
    }
  }

  let sending = null;
  function sendVotes() {
    sending ??= (async () => {
      for (let vote; (vote = state.votes.find((v) => !v.sent)); save()) {
        const { sent, ...content } = vote;
        const { status } = await post("api/vote", { participant: state.participant, ...content });
        vote.sent = status; // 409: this vote had arrived before, only the answer was lost
      }
    })().finally(() => { sending = null; });
    return sending;
  }

  async function enrol() {
    if (votesGo === "server") {
      const { status, said } = await post("api/start", {});
      if (status !== 201) throw new Error(said.problem);
      Object.assign(state, said);
    } else {
      const wanted = Number(new URLSearchParams(location.search).get("slot"));
      const isSlot = Number.isInteger(wanted) && wanted >= 1 && wanted <= survey.slots.length;
      state.slot = isSlot ? wanted - 1 : Math.floor(Math.random() * survey.slots.length);
      state.participant = random("0123456789abcdef", 32);
      state.code = random("23456789ABCDEFGHJKLMNPQRSTUVWXYZ", 8);
    }
    save();
  }

  // ---- clips -------------------------------------------------------------------------------------------------

  const fetched = new Map();

  // An address for a clip: its bytes in memory, so that the survey goes on without a connection; where pages may not
  // fetch (opened from a folder), the file's own.
  function source(clip) {
    if (!fetched.has(clip)) {
      const path = `clips/${clip}.webm`;
      const bytes = location.protocol === "file:" ? Promise.reject() : fetch(path).then((answer) => {
        if (!answer.ok) throw new Error(answer.status);
        return answer.blob();
      });
      fetched.set(clip, bytes.then((blob) => URL.createObjectURL(blob)).catch(() => {
        fetched.delete(clip);
        return path;
      }));
    }
    return fetched.get(clip);
  }

  async function fetchAhead() {
    for (const trial of survey.slots[state.slot].slice(state.votes.length)) {
      for (const clip of [trial.left, trial.right, trial.reference]) if (clip) await source(clip);
    }
  }

  // ---- one pair ----------------------------------------------------------------------------------------------

  let current = null; // the pair on the screen: {trial, began, replays, watched: set of sides, answered}

  const trials = () => survey.slots[state.slot];

  function nextPair() {
    const n = state.votes.length;
    if (n >= trials().length) return finish();
    show("trial");
    const trial = trials()[n];
    $("progress").max = trials().length;
    $("progress").value = n;
    $("count").textContent = `Pair ${n + 1} of ${trials().length}`;
    $("caption").textContent = trial.caption;
    $("clips").classList.toggle("with-reference", Boolean(trial.reference));
    present(trial);
  }

  async function present(trial) {
    const pair = current = { trial, began: null, replays: 0, watched: new Set(), answered: false };
    unlock();
    $("status").textContent = "Loading …";
    $("reference-figure").hidden = !trial.reference;
    if (trial.reference) source(trial.reference).then((address) => {
      $("reference").src = address;
      $("reference").play().catch(() => {});
    });
    await Promise.all(SIDES.map(async (side) => {
      const video = $(side);
      video.closest("figure").classList.remove("chosen");
      video.poster = `clips/${trial[side]}.jpg`;
      const address = await source(trial[side]);
      if (pair !== current) return;
      await new Promise((ready) => {
        video.oncanplaythrough = ready;
        video.onended = () => watched(pair, side);
        video.onerror = () => broken(pair);
        video.src = address;
        video.load();
      });
    }));
    if (pair !== current) return;
    play(pair);
  }

  function play(pair) {
    $("status").textContent = pair.watched.size < 2 ? "Watch both clips to the end." : "";
    $("replay").textContent = "Play again";
    Promise.all(SIDES.map((side) => {
      $(side).currentTime = 0;
      return $(side).play();
    })).then(() => {
      pair.began ??= performance.now();
      unlock();
    }).catch((error) => {
      if (error.name !== "NotAllowedError" || pair !== current) return; // a clip that was replaced while it began
      $("replay").textContent = "Play"; // the browser wants a click first
      $("replay").disabled = false;
      $("status").textContent = "Press Play to watch the clips.";
    });
  }

  function watched(pair, side) {
    if (pair !== current) return;
    pair.watched.add(side);
    if (pair.watched.size === 2) $("status").textContent = "";
    unlock();
  }

  function broken(pair) {
    if (pair !== current) return;
    $("status").textContent = "A clip could not be loaded. Trying again …";
    setTimeout(() => pair === current && present(pair.trial), 3000);
  }

  const seen = () => current && !current.answered && current.watched.size === 2;

  function unlock() {
    $("choose-left").disabled = $("choose-right").disabled = !seen();
    $("replay").disabled = !(current && current.began !== null && !current.answered);
  }

  function replay() {
    if ($("replay").disabled) return;
    if (current.began !== null) current.replays += 1;
    play(current);
  }

  async function choose(side) {
    if (!seen()) return;
    current.answered = true;
    unlock();
    const { trial, began, replays } = current;
    state.votes.push({
      trial: state.votes.length, left: trial.left, right: trial.right, chosen: side,
      seconds: Math.round((performance.now() - began) / 10) / 100, replays,
    });
    save();
    if (votesGo === "server") sendVotes();
    $(side).closest("figure").classList.add("chosen");
    await pause(0.3);
    nextPair();
  }

  // ---- the end -----------------------------------------------------------------------------------------------

  function answers() {
    const votes = state.votes.map(({ sent, ...vote }) => vote);
    return { survey: survey.survey, participant: state.participant, slot: state.slot, code: state.code, votes };
  }

  async function finish() {
    show("done");
    const tell = (text) => { $("saving").textContent = text; };
    if (votesGo === "server") {
      if (!state.handedIn) {
        tell("Saving your answers …");
        await sendVotes();
        const { status, said } = await post("api/finish", { participant: state.participant });
        if (status !== 200) return tell(said.problem);
        Object.assign(state, { code: said.code, handedIn: true });
      }
    } else if (votesGo !== "download" && !state.handedIn) {
      tell("Sending your answers …");
      state.handedIn = await fetch(votesGo, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(answers()),
      }).then((answer) => answer.ok, () => false);
    }
    save();
    tell("");
    if (!state.handedIn) {
      $("download").href = URL.createObjectURL(new Blob([JSON.stringify(answers(), null, 1)], { type: "application/json" }));
      $("download").download = `answers-${state.participant.slice(0, 8)}.json`;
      $("hand-in").hidden = false;
    }
    $("code").textContent = state.code;
    $("finished").hidden = false;
  }

  // ---- the way through ---------------------------------------------------------------------------------------

  function show(name) {
    if (!$(name).hidden) return;
    for (const page of document.querySelectorAll("main[id]")) page.hidden = page.id !== name;
    window.scrollTo(0, 0);
    $(name).querySelector("h1")?.focus();
  }

  // Plain text: the first line is the heading, "Term: text" sets its term in bold.
  function writeConsent(text) {
    const [heading, ...lines] = text.split("\n").map((line) => line.trim()).filter(Boolean);
    const h1 = Object.assign(document.createElement("h1"), { textContent: heading, tabIndex: -1 });
    $("consent-text").append(h1, ...lines.map((line) => {
      const p = document.createElement("p");
      const [, term, rest] = line.match(/^([^:.]{1,40}:)(.*)$/) || [null, "", line];
      const strong = Object.assign(document.createElement("strong"), { textContent: term });
      p.append(...(term ? [strong, rest] : [rest]));
      return p;
    }));
  }

  async function begin() {
    $("begin").disabled = true;
    try {
      if (state.participant === null) await enrol();
    } catch (error) {
      $("begin").textContent = error.message;
      return;
    }
    state.begun = true;
    save();
    fetchAhead();
    nextPair();
  }

  writeConsent(survey.consent);
  $("question").textContent = survey.question;
  $("read-caption").hidden = !survey.slots.some((slot) => slot.some((trial) => trial.caption));
  if (!$("left").canPlayType('video/webm; codecs="vp8"')) {
    $("cannot-play").hidden = false;
    $("begin").disabled = true;
  }
  $("agree").onchange = () => { $("to-instructions").disabled = !$("agree").checked; };
  $("to-instructions").onclick = () => show("instructions");
  $("begin").onclick = begin;
  $("choose-left").onclick = () => choose("left");
  $("choose-right").onclick = () => choose("right");
  $("replay").onclick = replay;
  $("copy").onclick = () => navigator.clipboard?.writeText(state.code).then(() => { $("copy").textContent = "Copied"; });
  document.addEventListener("keydown", (event) => {
    if ($("trial").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const action = {
      arrowleft: () => choose("left"), a: () => choose("left"),
      arrowright: () => choose("right"), b: () => choose("right"), r: replay,
    }[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  if (votesGo === "server") window.addEventListener("online", () => sendVotes());
  if (state.begun) begin();
  else show("consent");
})();
