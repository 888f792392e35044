// Numbers over time. A gap in the points is a gap in the line.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

const HEIGHT = 220;
// A pause is a gap when it is so many times the usual distance of two points.
const GAP = 4;

// uPlot's columns, with an empty point in each gap.
export function columns(points) {
  const known = points.filter(([, value]) => value !== null);
  const distances = known.slice(1).map(([ts], index) => ts - known[index][0]).filter((distance) => distance > 0);
  distances.sort((a, b) => a - b);
  const usual = distances[Math.floor(distances.length / 2)] ?? Infinity;
  const times = [];
  const values = [];
  known.forEach(([ts, value], index) => {
    if (index > 0 && ts - known[index - 1][0] > GAP * usual) {
      times.push(known[index - 1][0] + usual);
      values.push(null);
    }
    times.push(ts);
    values.push(value);
  });
  return [times, values];
}

// A plot of one moment would have no width.
function shown(from, until, seconds) {
  if (seconds === null) return from === until ? [from - 60, until + 60] : [from, until];
  const now = Date.now() / 1000;
  return [now - seconds, Math.max(now, until)];
}

// `seconds` is how much time is shown, up to now; null: as much as there are points for.
export function Plot({ name, points, seconds }) {
  const place = useRef(null);
  const data = columns(points);
  useEffect(() => {
    const node = place.current;
    const style = getComputedStyle(node);
    const axis = { stroke: style.color, grid: { stroke: style.getPropertyValue('--line') } };
    const options = {
      width: node.clientWidth || 600,
      height: HEIGHT,
      legend: { show: false },
      scales: { x: { range: (_, from, until) => shown(from, until, seconds) } },
      axes: [axis, axis],
      series: [{}, { label: name, stroke: style.getPropertyValue('--accent'), width: 2, points: { show: data[0].length < 100 } }],
    };
    const plot = new uPlot(options, data, node);
    const follow = new ResizeObserver(() => plot.setSize({ width: node.clientWidth, height: HEIGHT }));
    follow.observe(node);
    return () => {
      follow.disconnect();
      plot.destroy();
    };
  }, [JSON.stringify(data), seconds]);
  const values = data[1].filter((value) => value !== null);
  const told = `${name}: ${values.length} points from ${Math.min(...values)} to ${Math.max(...values)}, the last ${values.at(-1)}`;
  return <div class="plot" role="img" aria-label={told} ref={place} />;
}
