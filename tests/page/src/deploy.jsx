// Tarballs in, orders out.
import { useEffect, useState } from 'preact/hooks';
import { get, post, send } from './api.js';
import { Orders } from './fleet.jsx';
import { bytes } from './words.js';

export function Deploy({ gateways }) {
  const [tarballs, setTarballs] = useState([]);
  const [install, setInstall] = useState(new Set());
  const [said, setSaid] = useState('');
  const [sent, setSent] = useState(new Set());
  const load = async () => setTarballs((await get(['tarballs'])).tarballs);
  useEffect(() => {
    load().catch((error) => setSaid(error.message));
  }, []);
  const order = async () => {
    try {
      const sns = gateways.map((gateway) => gateway.sn);
      await post(['orders'], { gateways: sns, install: [...install] });
      setSaid(`sent to ${sns.length} gateway${sns.length === 1 ? '' : 's'}`);
      setSent(new Set(sns));
    } catch (error) {
      setSaid(error.message);
    }
  };
  const toggle = (name, on) =>
    setInstall((last) => {
      const next = new Set(last);
      on ? next.add(name) : next.delete(name);
      return next;
    });
  const taken = async (name) => {
    await load();
    toggle(name, true);
  };
  return (
    <details class="panel">
      <summary>Deploy</summary>
      <Drop taken={taken} />
      <fieldset>
        <legend>Tarballs in the content area</legend>
        {tarballs.length === 0 && <p>None yet.</p>}
        {tarballs.map((tarball) => (
          <label class="line">
            <input type="checkbox" checked={install.has(tarball.name)}
              onChange={(event) => toggle(tarball.name, event.target.checked)} />{' '}
            {tarball.name} ({bytes(tarball.size)})
          </label>
        ))}
      </fieldset>
      <button disabled={install.size === 0 || gateways.length === 0} onClick={order}>
        Send to {gateways.length} chosen gateway{gateways.length === 1 ? '' : 's'}
      </button>{' '}
      <span role="status">{said}</span>
      <ul class="plain" aria-label="Progress">
        {gateways.filter((gateway) => sent.has(gateway.sn)).map((gateway) => (
          <li>{gateway.sn}: <Orders orders={gateway.orders} /></li>
        ))}
      </ul>
    </details>
  );
}

// Takes files that are dropped or chosen; murano checks each as `gwe --check-tarball` does.
function Drop({ taken }) {
  const [results, setResults] = useState([]);
  const [isOver, setIsOver] = useState(false);
  const take = async (files) => {
    for (const file of files) {
      const tell = (result) => setResults((last) => [...last.filter(({ name }) => name !== file.name), { name: file.name, ...result }]);
      tell({ text: 'being sent' });
      try {
        const answer = await send('PUT', ['tarballs', file.name], file);
        tell(answer.faults ? { text: 'refused', faults: answer.faults } : { text: `taken, ${bytes(answer.size)}` });
        if (!answer.faults && !file.name.endsWith('.minisig')) await taken(file.name);
      } catch (error) {
        tell({ text: error.message });
      }
    }
  };
  const drop = (event) => {
    event.preventDefault();
    setIsOver(false);
    take([...event.dataTransfer.files]);
  };
  const over = (event) => {
    event.preventDefault();
    setIsOver(true);
  };
  return (
    <div class={`drop ${isOver ? 'over' : ''}`} onDragOver={over} onDragLeave={() => setIsOver(false)} onDrop={drop}>
      <label>
        Drop tarballs here, or choose them:{' '}
        <input type="file" multiple onChange={(event) => take([...event.target.files])} />
      </label>
      <div role="status"><ul class="plain">
        {results.map((result) => (
          <li>
            {result.name}: {result.text}
            <ul>{result.faults?.map((fault) => <li class="bad">✗ {fault}</li>)}</ul>
          </li>
        ))}
      </ul></div>
    </div>
  );
}
