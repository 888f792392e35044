// The table of all gateways, and what is done to several of them.
import { useMemo, useState } from 'preact/hooks';
import { post } from './api.js';
import { Deploy } from './deploy.jsx';
import { useNow } from './live.js';
import { ago } from './words.js';

const worst = (gateway) => -gateway.alarms.length;
const COLUMNS = [
  { key: 'sn', title: 'Serial number', of: (gateway) => gateway.sn },
  { key: 'contact', title: 'Last contact', of: (gateway) => -(gateway.contact ?? -1) },
  { key: 'version', title: 'Agent', of: (gateway) => gateway.version ?? '' },
  { key: 'apps', title: 'Apps', of: (gateway) => gateway.apps.map((app) => app.name).join(' ') },
  { key: 'order', title: 'Order', of: (gateway) => gateway.orders.map((order) => order.state).join(' ') },
  { key: 'alarms', title: 'Alarms', of: worst },
];

const compare = (a, b) => (typeof a === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));

// Everything that a person would look for in a row.
function text(gateway) {
  const apps = gateway.apps.map((app) => `${app.name} ${app.version ?? ''} ${app.status ?? ''}`);
  const orders = gateway.orders.map((order) => `${order.name} ${order.state}`);
  const alarms = gateway.alarms.map((alarm) => `${alarm.kind} ${alarm.text}`);
  const state = gateway.activated ? 'activated' : 'not activated';
  return [gateway.sn, gateway.version, state, ...apps, ...orders, ...alarms].join(' ').toLowerCase();
}

export function Fleet({ gateways, now: serverNow }) {
  const [filter, setFilter] = useState('');
  const [sort, setSort] = useState({ key: 'sn', down: false });
  const [chosen, setChosen] = useState(new Set());
  // By this machine's clock, shifted to the server's.
  const clock = useNow();
  const shift = useMemo(() => serverNow - Date.now() / 1000, [serverNow]);
  const now = clock + shift;
  const shown = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    const column = COLUMNS.find(({ key }) => key === sort.key);
    const rows = gateways.filter((gateway) => words.every((word) => text(gateway).includes(word)));
    rows.sort((a, b) => compare(column.of(a), column.of(b)) || compare(a.sn, b.sn));
    return sort.down ? rows.reverse() : rows;
  }, [gateways, filter, sort]);
  const all = shown.length > 0 && shown.every((gateway) => chosen.has(gateway.sn));
  const choose = (sns, on) =>
    setChosen((last) => {
      const next = new Set(last);
      sns.forEach((sn) => (on ? next.add(sn) : next.delete(sn)));
      return next;
    });
  return (
    <>
      <h1 class="only-heard">Gateways</h1>
      <div class="tools">
        <label>
          Filter <input type="search" value={filter} onInput={(event) => setFilter(event.target.value)} />
        </label>
        <output>
          {shown.length} of {gateways.length} gateways, {chosen.size} chosen
        </output>
        <AddGateway />
      </div>
      <Deploy gateways={gateways.filter((gateway) => chosen.has(gateway.sn))} />
      <table class="fleet">
        <thead>
          <tr>
            <th>
              <input type="checkbox" aria-label="choose all that are shown" checked={all}
                onChange={(event) => choose(shown.map((gateway) => gateway.sn), event.target.checked)} />
            </th>
            {COLUMNS.map((column) => <Heading column={column} sort={sort} setSort={setSort} />)}
          </tr>
        </thead>
        <tbody>
          {shown.map((gateway) => (
            <Row key={gateway.sn} gateway={gateway} now={now} isChosen={chosen.has(gateway.sn)}
              choose={(on) => choose([gateway.sn], on)} />
          ))}
        </tbody>
      </table>
      {gateways.length === 0 && <p>No gateway is known yet. Add a serial number, or start the server with --open.</p>}
    </>
  );
}

function Heading({ column, sort, setSort }) {
  const isIt = sort.key === column.key;
  const order = isIt ? (sort.down ? 'descending' : 'ascending') : undefined;
  return (
    <th aria-sort={order}>
      <button class="sort" onClick={() => setSort({ key: column.key, down: isIt && !sort.down })}>
        {column.title} <span aria-hidden="true">{isIt ? (sort.down ? '▼' : '▲') : ''}</span>
      </button>
    </th>
  );
}

// A thousand rows each second would be slow: one is drawn again when it shows something else.
function Row({ gateway, now, isChosen, choose }) {
  const contact = ago(gateway.contact, now);
  return useMemo(() => drawn(gateway, contact, isChosen, choose), [JSON.stringify(gateway), contact, isChosen]);
}

function drawn(gateway, contact, isChosen, choose) {
  return (
    <tr>
      <td>
        <input type="checkbox" aria-label={`choose ${gateway.sn}`} checked={isChosen}
          onChange={(event) => choose(event.target.checked)} />
      </td>
      <th scope="row" data-title="Serial number">
        <a href={`#/gateway/${encodeURIComponent(gateway.sn)}`}>{gateway.sn}</a>
      </th>
      <td data-title="Last contact">
        {contact}
        {!gateway.activated && <span class="note"> not activated</span>}
      </td>
      <td data-title="Agent">{gateway.version ?? '–'}</td>
      <td data-title="Apps"><Apps apps={gateway.apps} /></td>
      <td data-title="Order"><Orders orders={gateway.orders} /></td>
      <td data-title="Alarms"><Alarms alarms={gateway.alarms} /></td>
    </tr>
  );
}

function Apps({ apps }) {
  const own = apps.filter((app) => app.name !== 'gwe');
  return (
    <ul class="plain">
      {own.map((app) => (
        <li>
          {app.name} {app.version} <span class={`state ${app.status === 'FATAL' ? 'bad' : ''}`}>{app.status}</span>
        </li>
      ))}
    </ul>
  );
}

const SIGNS = { requested: '…', taken: '↻', installed: '✓', failed: '✗', 'rolled back': '↩', awaited: '↻', answered: '✓' };

export function Orders({ orders }) {
  return (
    <ul class="plain">
      {orders.map((order) => (
        <li title={order.line ?? ''}>
          <span aria-hidden="true">{SIGNS[order.state]}</span> {order.name}{' '}
          <span class={`state ${['failed', 'rolled back'].includes(order.state) ? 'bad' : ''}`}>
            {order.state === 'taken' ? 'taken, being installed' : order.state}
          </span>
        </li>
      ))}
    </ul>
  );
}

export function Alarms({ alarms }) {
  return (
    <ul class="plain">
      {alarms.map((alarm) => <li class="alarm">⚠ <b>{alarm.kind}</b>: {alarm.text}</li>)}
    </ul>
  );
}

function AddGateway() {
  const [said, setSaid] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const sn = new FormData(form).get('sn');
    try {
      await post(['gateways'], { sn });
      setSaid(`${sn} may activate now`);
      form.reset();
    } catch (error) {
      setSaid(error.message);
    }
  };
  return (
    <form onSubmit={submit}>
      <label>
        New serial number <input name="sn" required autocomplete="off" />
      </label>{' '}
      <button>Add</button> <span role="status">{said}</span>
    </form>
  );
}
