// Every alias of a gateway: its newest value, its points, and a plot where they are numbers.
import { useEffect, useState } from 'preact/hooks';
import { get } from './api.js';
import { Plot } from './plot.jsx';
import { number, when } from './words.js';

const RANGES = [['an hour', 3600], ['a day', 86400], ['a week', 7 * 86400], ['all', null]];
// So many lines are shown of an alias's points; the support bundle has all.
const MAX_LINES = 200;
const SHOWN_HISTORY = 20;

// The points of an alias from some seconds back on; loaded anew when there are more of them.
function usePoints(sn, alias, seconds) {
  const [points, setPoints] = useState(null);
  const query = seconds === null ? '' : `?from=${Date.now() / 1000 - seconds}`;
  useEffect(() => {
    let alive = true;
    get(['gateways', sn, 'points', alias.alias], query)
      .then((answer) => alive && setPoints(answer.points))
      .catch(() => alive && setPoints([]));
    return () => {
      alive = false;
    };
  }, [sn, alias.alias, alias.points, seconds]);
  return points;
}

export function History({ sn, aliases }) {
  const alias = aliases.find(({ alias }) => alias === 'fetch_status');
  if (!alias) return null;
  return (
    <section>
      <h2>Installs and logs</h2>
      <Told sn={sn} alias={alias} />
    </section>
  );
}

// The verdict; of logs alone, which program's they are.
const lastLine = (text) => text.trimEnd().split('\n').filter((line) => !line.startsWith('| ')).at(-1);

function Told({ sn, alias }) {
  const points = usePoints(sn, alias, null);
  const told = (points ?? []).filter(([, value]) => value !== '').slice(-SHOWN_HISTORY).reverse();
  return told.map(([ts, value], index) => (
    <details open={index === 0}>
      <summary>{when(ts)}: {lastLine(value)}</summary>
      <pre tabIndex={0} aria-label={`report of ${when(ts)}`}>{value}</pre>
    </details>
  ));
}

export function Values({ sn, aliases }) {
  return (
    <section>
      <h2>Values</h2>
      {aliases.map((alias) => <Value key={alias.alias} sn={sn} alias={alias} />)}
    </section>
  );
}

function Value({ sn, alias }) {
  const [isOpen, setIsOpen] = useState(false);
  const short = alias.value.length > 80 ? `${alias.value.slice(0, 80)}…` : alias.value;
  return (
    <details onToggle={(event) => setIsOpen(event.target.open)}>
      <summary>
        <b>{alias.alias}</b> <span class="value">{short === '' ? '(empty)' : short}</span>{' '}
        <span class="note">{alias.points} point{alias.points === 1 ? '' : 's'}, {when(alias.ts)}</span>
      </summary>
      {isOpen && <Points sn={sn} alias={alias} />}
    </details>
  );
}

function Points({ sn, alias }) {
  const [range, setRange] = useState(86400);
  const points = usePoints(sn, alias, range);
  if (!points) return <p>Loading…</p>;
  const numbers = points.map(([ts, value]) => [ts, number(value)]);
  const isNumeric = numbers.some(([, value]) => value !== null);
  const lines = points.slice(-MAX_LINES).reverse();
  return (
    <>
      <div role="group" aria-label="Time shown">
        {RANGES.map(([name, seconds]) => (
          <button aria-pressed={range === seconds} onClick={() => setRange(seconds)}>{name}</button>
        ))}
      </div>
      {points.length === 0 && <p>No points in this time.</p>}
      {isNumeric && <Plot name={alias.alias} points={numbers} seconds={range} />}
      <details open={!isNumeric}>
        <summary>Raw values{points.length > MAX_LINES && `, the newest ${MAX_LINES} of ${points.length}`}</summary>
        <table>
          <thead><tr><th>Time</th><th>Value</th></tr></thead>
          <tbody>
            {lines.map(([ts, value]) => <tr><td>{when(ts)}</td><td><pre>{value}</pre></td></tr>)}
          </tbody>
        </table>
      </details>
    </>
  );
}
