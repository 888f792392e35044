// One gateway: its reports as people read them, what was done to it, and all its values.
import { useState } from 'preact/hooks';
import { post } from './api.js';
import { Alarms, Orders } from './fleet.jsx';
import { History, Values } from './values.jsx';
import { useNow } from './live.js';
import { fileSystems, memory, traffic } from './reports.js';
import { ago, bytes, json, span, when } from './words.js';

export function Gateway({ gateway, aliases, cik, now: serverNow }) {
  useNow();
  const value = (name) => aliases.find((alias) => alias.alias === name)?.value ?? '';
  const info = json(value('device_info'));
  return (
    <>
      <h1>{gateway.sn}</h1>
      <Alarms alarms={gateway.alarms} />
      <dl>
        <dt>Last contact</dt>
        <dd>{ago(gateway.contact, serverNow)}{gateway.contact !== null && `, ${when(gateway.contact)}`}</dd>
        <dt>Agent</dt>
        <dd>{gateway.version ?? '–'}</dd>
        <dt>CIK</dt>
        <dd><code>{cik ?? 'not activated'}</code></dd>
        <dt>Checks in every</dt>
        <dd>{span(gateway.interval)} ({gateway.interval} s)</dd>
        <dt>Last order</dt>
        <dd>{gateway.orders.length ? <Orders orders={gateway.orders} /> : 'none'}</dd>
      </dl>
      <Actions gateway={gateway} />
      <Apps apps={gateway.apps} />
      <Host info={info} />
      <Traffic report={json(value('usage_report'))} />
      <History sn={gateway.sn} aliases={aliases} />
      <Values sn={gateway.sn} aliases={aliases} />
    </>
  );
}

// Programs of the image that have logs, and how many lines are asked for of each log.
const OWN = ['gwe', 'gmq', 'supervisord'];
const LINES = 200;
// A gateway answers for so many at once.
const MAX_LOGS = 16;

function Actions({ gateway }) {
  const [said, setSaid] = useState('');
  const [isSure, setIsSure] = useState(false);
  const run = async (what, parts, value) => {
    try {
      await post(['gateways', gateway.sn, ...parts], value);
      setSaid(what);
    } catch (error) {
      setSaid(error.message);
    }
  };
  const interval = (event) => {
    event.preventDefault();
    const seconds = Number(new FormData(event.target).get('seconds'));
    run(`checks in every ${seconds} s from its next check-in on`, ['interval'], { seconds });
  };
  const logs = () => {
    const apps = gateway.apps.map((app) => app.name).filter((name) => !OWN.includes(name));
    const names = [...OWN, ...apps].slice(0, MAX_LOGS);
    run('its logs come with its next check-in, below', ['logs'], { logs: Object.fromEntries(names.map((name) => [name, LINES])) });
  };
  const revoke = () => {
    if (isSure) run('its CIK is void; it may activate again', ['revoke']);
    setIsSure(!isSure);
  };
  return (
    <section class="tools" aria-label="Actions">
      <form onSubmit={interval}>
        <label>
          Check in every <input type="number" name="seconds" min="1" max="31622400" required size="8" /> seconds
        </label>{' '}
        <button>Set</button>
      </form>
      <button onClick={logs}>Ask for logs</button>
      <button onClick={() => run('it may activate once more', ['enable'])}>Enable</button>
      <button class="danger" onClick={revoke}>{isSure ? 'Really revoke its CIK?' : 'Revoke'}</button>
      <a href={`/page/api/gateways/${encodeURIComponent(gateway.sn)}/bundle`} download={`${gateway.sn}.json`}>Support bundle</a>
      <span role="status">{said}</span>
    </section>
  );
}

function Apps({ apps }) {
  if (apps.length === 0) return null;
  return (
    <section>
      <h2>Apps</h2>
      <table>
        <thead>
          <tr><th>Name</th><th>Version</th><th>State</th><th>Up for</th><th>Memory</th><th>Exit status</th><th>Note</th></tr>
        </thead>
        <tbody>
          {apps.map((app) => (
            <tr>
              <th scope="row">{app.name}</th>
              <td>{app.version || '–'}</td>
              <td class={app.status === 'FATAL' ? 'bad' : ''}>{app.status === 'FATAL' && '⚠ '}{app.status}</td>
              <td>{app.uptime > 0 ? span(app.uptime) : '–'}</td>
              <td>{app.rss_kb ? bytes(app.rss_kb * 1024) : '–'}</td>
              <td>{app.exitstatus ?? '–'}</td>
              <td>{app.note ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Host({ info }) {
  const disks = fileSystems(info?.df);
  const ram = memory(info?.free);
  if (!info) return null;
  return (
    <section>
      <h2>Host</h2>
      <p><code>{String(info.uname ?? '')}</code></p>
      <p>Addresses: {String(info.ipaddrs ?? '–')}</p>
      {ram && <Bar name="memory" used={ram.total - (ram.available ?? ram.total - ram.used)} total={ram.total} />}
      {disks.map((disk) => (
        <Bar name={disk.mount} used={disk.used} total={disk.used + disk.available} isReadOnly={disk.available === 0 && disk.used === disk.total} />
      ))}
    </section>
  );
}

// An image that is only read is always full.
function Bar({ name, used, total, isReadOnly }) {
  const percent = total > 0 ? Math.round((100 * used) / total) : 0;
  return (
    <div class="bar">
      <span>{name}</span>
      <meter min="0" max="100" high={isReadOnly ? 100 : 90} optimum="0" value={percent} aria-label={`${name} in use`}>{percent} %</meter>
      <span>{percent} % of {bytes(total)}{isReadOnly ? ', only read' : percent > 90 && ' ⚠'}</span>
    </div>
  );
}

function Traffic({ report }) {
  const rows = traffic(report);
  if (rows.length === 0) return null;
  const size = (count) => (typeof count === 'number' ? bytes(count) : '–');
  return (
    <section>
      <h2>Traffic in the last report</h2>
      <table>
        <thead><tr><th>Interface</th><th>Program</th><th>Received</th><th>Sent</th><th>Requests</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              <td>{row.interface}</td>
              <th scope="row">{row.program}</th>
              <td>{size(row.received)}</td>
              <td>{size(row.sent)}</td>
              <td>{row.requests ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
