// Values that follow the server: loaded, and loaded again when murano says that something has changed.
import { useEffect, useState } from 'preact/hooks';
import { get } from './api.js';

// A fleet changes all the time; the page does not need to more often than this.
const AT_MOST_EVERY_MS = 1000;
const RETRY_MS = [1000, 2000, 5000, 10000];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// { value, error }: the last value, and why there is no newer one.
export function useLive(load, key) {
  const [state, setState] = useState({ value: null, error: null });
  useEffect(() => {
    let alive = true;
    follow(load, (next) => alive && setState((last) => ({ ...last, ...next })), () => alive);
    return () => {
      alive = false;
    };
  }, [key]);
  return state;
}

async function follow(load, tell, isAlive) {
  let seen = 0;
  let failures = 0;
  while (isAlive()) {
    try {
      const value = await load();
      tell({ value, error: null });
      failures = 0;
      seen = value.change;
      await pause(AT_MOST_EVERY_MS);
      while (isAlive() && (await get(['changes'], `?seen=${seen}`)).change === seen);
    } catch (error) {
      tell({ error });
      await pause(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
    }
  }
}

// The time in unix seconds, once a second, for words such as "2 minutes ago".
export function useNow() {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
