// What gateways say is never markup, and no other site gives orders.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { Murano, cannot, openBrowser } from './browser.mjs';

const SCRIPT = '<script>globalThis.owned = 1</script><img src=x onerror="globalThis.owned = 1">';
const why = cannot();
let murano, browser, page;
const errors = [];

before(async () => {
  if (why) return;
  murano = await Murano.start('--open');
  browser = await openBrowser();
  page = await browser.newPage();
  page.on('pageerror', (error) => errors.push(error.message));
});

after(async () => {
  await browser?.close();
  await murano?.stop();
  assert.deepEqual(errors, []);
});

const isOwned = () => page.evaluate(() => globalThis.owned === 1);

test('hostile values are text', { skip: why }, async () => {
  const deep = '['.repeat(3000);
  await murano.write([
    [SCRIPT, 'engine_report', JSON.stringify({ apps: [{ [SCRIPT]: { status: SCRIPT, version: SCRIPT, note: SCRIPT, uptime: 1e308, rss_kb: -1 } }] })],
    [SCRIPT, 'device_info', JSON.stringify({ uname: SCRIPT, df: `x\n${SCRIPT} 1 2 3 99% ${SCRIPT}`, free: `a\nMem: ${SCRIPT}`, ipaddrs: { a: SCRIPT } })],
    [SCRIPT, 'usage_report', JSON.stringify({ [SCRIPT]: { [SCRIPT]: { [SCRIPT]: { tot_rx: SCRIPT, num: SCRIPT } } } })],
    [SCRIPT, 'fetch_status', `${SCRIPT}\u0000\u001b[2J\n[gwe] rolled back ${SCRIPT}`],
    [SCRIPT, SCRIPT, SCRIPT],
    [SCRIPT, 'number', '1e400'],
    [SCRIPT, 'empty', ''],
    ['odd shapes', 'engine_report', '{"apps": [{"a": []}, 1, null, {}]}'],
    ['odd shapes', 'device_info', '{"df": 1, "free": [], "uname": null}'],
    ['odd shapes', 'usage_report', deep],
    ['odd shapes', 'fetch_status', 'x'.repeat(200_000)],
    ['null', 'engine_report', 'null'],
    ['null', 'device_info', 'null'],
    ['null', 'usage_report', '{"eth0": null, "x": {"top_consumer": "y", "z": 1}}'],
  ]);
  await page.goto(`${murano.url}/`);
  await page.waitForSelector('tbody tr');
  assert.equal(await page.locator('.fleet tbody tr').count(), 3);
  assert.ok((await page.locator('.fleet').innerText()).includes(SCRIPT));
  for (const sn of [SCRIPT, 'odd shapes', 'null']) {
    await page.goto(`${murano.url}/#/gateway/${encodeURIComponent(sn)}`);
    await page.locator('h1', { hasText: sn }).waitFor();
    for (const summary of await page.locator('h2:has-text("Values") ~ details > summary').all()) await summary.click();
    await page.waitForFunction(() => !document.body.innerText.includes('Loading…'));
  }
  assert.equal(await page.locator('#page script, #page img').count(), 0);
  assert.equal(await isOwned(), false);
});

test('were it markup, it would not run', { skip: why }, async () => {
  await page.goto(`${murano.url}/`);
  await page.evaluate((html) => {
    document.body.insertAdjacentHTML('beforeend', `${html}<iframe srcdoc='${html}'></iframe>`);
    const script = document.createElement('script');
    script.textContent = 'globalThis.owned = 1';
    document.body.append(script);
  }, SCRIPT);
  await page.waitForTimeout(300);
  assert.equal(await isOwned(), false);
});

// A request as a browser would send it for another site's page; node's fetch would not let these headers be set.
function ask(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(murano.url);
    const sent = request({ hostname, port, method, path, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('another site gives no orders', { skip: why }, async () => {
  const host = new URL(murano.url).host;
  const own = { Host: host, Origin: murano.url, 'X-Murano': 'page' };
  const add = (headers) => ask('POST', '/page/api/gateways', headers, `{"sn": "${Math.random()}"}`);
  assert.equal(await add(own), 204);
  assert.equal(await add({ ...own, Origin: 'http://evil.example' }), 403);
  assert.equal(await add({ ...own, Origin: 'null' }), 403);
  assert.equal(await add({ Host: host, 'Content-Type': 'text/plain' }), 403, 'a form cannot send the header');
  assert.equal(await add({ ...own, 'Sec-Fetch-Site': 'cross-site' }), 403);
  assert.equal(await add({ 'X-Murano': 'page', Host: 'rebound.example' }), 403, 'a name that somebody points here');
  assert.equal(await ask('GET', '/admin/state', { Host: 'rebound.example' }), 403);
  assert.equal(await ask('PUT', '/admin/faults', { Host: host, Origin: 'http://evil.example' }, 'any:refuse'), 403);
});

test('with a token nobody sees anything without it', { skip: why }, async () => {
  const guarded = await Murano.start('--open', '--token', 'a-secret');
  try {
    const other = await browser.newPage();
    await other.goto(`${guarded.url}/`);
    await other.getByLabel('Token').fill('wrong');
    await other.getByRole('button', { name: 'Log in' }).click();
    await other.waitForSelector('text=that is not the token');
    await other.getByLabel('Token').fill('a-secret');
    await other.getByRole('button', { name: 'Log in' }).click();
    await other.waitForSelector('text=No gateway is known yet');
    assert.equal((await fetch(`${guarded.url}/admin/state`)).status, 401);
    assert.equal((await fetch(`${guarded.url}/page/api/gateways`)).status, 401);
    assert.equal((await fetch(`${guarded.url}/admin/state`, { headers: { Authorization: 'Bearer a-secret' } })).status, 200);
    await other.close();
  } finally {
    await guarded.stop();
  }
});
