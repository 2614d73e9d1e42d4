// Two soft notes, made here: no sound file is loaded.

let context = null;

/** Play the chime; silent where the browser allows no sound yet. */
export function chime() {
  context ??= new AudioContext();
  void context.resume();
  [659.25, 880].forEach((hertz, index) => note(hertz, context.currentTime + index * 0.22));
}

function note(hertz, at) {
  const tone = context.createOscillator();
  const volume = context.createGain();
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(0.3, at + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.9);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + 1);
}
