// Numbers as people read them.

const STEPS = [
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [name, size] = STEPS.find(([, size]) => whole >= size) ?? STEPS.at(-1);
  const count = Math.floor(whole / size);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

export const ago = (unix, now) => (unix === null ? 'never' : now - unix < 2 ? 'just now' : `${span(now - unix)} ago`);

export function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${count >= 100 || unit === 0 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

export const when = (unix) => new Date(unix * 1000).toLocaleString();

export function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// A decimal number, as an app would write it; anything else is none.
export function number(text) {
  return /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) ? Number(text) : null;
}
