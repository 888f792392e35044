import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { get, login } from './api.js';
import { Fleet } from './fleet.jsx';
import { Gateway } from './gateway.jsx';
import { useLive } from './live.js';
import 'uplot/dist/uPlot.min.css';
import './page.css';

// #/ is the fleet, #/gateway/SN one of it.
function place() {
  const [, room, sn] = location.hash.split('/');
  return room === 'gateway' && sn ? { sn: decodeURIComponent(sn) } : {};
}

function usePlace() {
  const [at, setAt] = useState(place());
  useEffect(() => {
    const moved = () => setAt(place());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return at;
}

function Login({ done }) {
  const [wrong, setWrong] = useState('');
  const submit = async (event) => {
    event.preventDefault();
    try {
      await login(new FormData(event.target).get('token'));
      done();
    } catch (error) {
      setWrong(error.message);
    }
  };
  return (
    <form class="panel" onSubmit={submit}>
      <h1>Gateways</h1>
      <label>
        Token <input type="password" name="token" autocomplete="current-password" required />
      </label>{' '}
      <button>Log in</button>
      <p role="alert">{wrong}</p>
    </form>
  );
}

function Trouble({ error }) {
  if (!error) return null;
  return (
    <p class="trouble" role="alert">
      ⚠ No news from murano: {error.message}. Trying again; what is shown may be old.
    </p>
  );
}

function Page() {
  const { sn } = usePlace();
  const [tries, setTries] = useState(0);
  const load = () => get(sn ? ['gateways', sn] : ['gateways']);
  const { value, error } = useLive(load, `${sn ?? ''} ${tries}`);
  useEffect(() => {
    document.title = sn ? `${sn} – Gateways` : 'Gateways';
  }, [sn]);
  if (error?.status === 401) return <main><Login done={() => setTries(tries + 1)} /></main>;
  const isOfThisPlace = value && (sn ? value.gateway?.sn === sn : value.gateways);
  return (
    <>
      <header>
        <a href="#/" class="home">Gateways</a>
        {sn && <span aria-hidden="true"> › </span>}
        {sn && <span>{sn}</span>}
      </header>
      <main>
        {error?.status === 404 ? <p role="alert">⚠ {error.message}</p> : <Trouble error={error} />}
        {!isOfThisPlace && !error && <p>Loading…</p>}
        {isOfThisPlace && (sn ? <Gateway {...value} /> : <Fleet {...value} />)}
      </main>
    </>
  );
}

const root = document.getElementById('page');
root.replaceChildren();
render(<Page />, root);
