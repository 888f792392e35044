// The texts inside the reports, taken apart: what `df` and `free` print. What is not of that form gives nothing.

// [{ mount, source, total, used, available, percent }], sizes in bytes.
export function fileSystems(df) {
  const lines = typeof df === 'string' ? df.split('\n').slice(1) : [];
  return lines.flatMap((line) => {
    const found = /^(.*?)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)%\s+(.*)$/.exec(line);
    if (!found) return [];
    const [, source, total, used, available, percent, mount] = found;
    return [{ source, mount, total: total * 1024, used: used * 1024, available: available * 1024, percent: Number(percent) }];
  });
}

// { total, used, available } of the memory, in bytes; null where there is none. `free` counts in KiB.
export function memory(free) {
  const lines = typeof free === 'string' ? free.split('\n') : [];
  const names = lines[0]?.trim().split(/\s+/) ?? [];
  const row = lines.find((line) => line.startsWith('Mem:'));
  if (!row) return null;
  const figures = row.split(/\s+/).slice(1).map(Number);
  const of = (name) => (names.includes(name) ? figures[names.indexOf(name)] * 1024 : null);
  const total = of('total');
  return total > 0 ? { total, used: of('used'), available: of('available') } : null;
}

const HOW_MANY = 50;

// [{ interface, program, received, sent, requests }], bytes since the last report.
export function traffic(report) {
  const rows = [];
  for (const [name, facts] of Object.entries(report ?? {})) {
    for (const group of Object.values(facts ?? {})) {
      if (typeof group !== 'object' || group === null) continue;
      for (const [program, sums] of Object.entries(group)) {
        rows.push({ interface: name, program, received: sums?.tot_rx, sent: sums?.tot_tx, requests: sums?.num });
      }
    }
  }
  return rows.slice(0, HOW_MANY);
}
