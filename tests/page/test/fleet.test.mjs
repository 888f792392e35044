// A fleet in a real browser: a thousand gateways, by keyboard alone, on a phone, in the dark, judged by axe-core.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Murano, cannot, openBrowser } from './browser.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
// SHOTS=DIR keeps the pictures that docs/page.md shows.
const { SHOTS } = process.env;
const COUNT = 1000;

const DF = `Filesystem     1K-blocks    Used Available Use% Mounted on
/dev/root          18720   18720         0 100% /
/dev/mmcblk0p4   1843200 1712000    131200  93% /var/lib
tmpfs             255000     120    254880   1% /run`;
const FREE = `               total        used        free      shared  buff/cache   available
Mem:          512000      120000      300000        1200       92000      380000
Swap:              0           0           0`;

const serial = (index) => `00:11:22:33:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`.toUpperCase();

function reports(index) {
  const sn = serial(index);
  const program = (name, version, facts) => ({ [name]: { exitstatus: 0, status: 'RUNNING', uptime: 7000 + index, version, rss_kb: 2300, ...facts } });
  const apps = [program('gwe', '0.1.0'), program('gmq', '0.1.0'), program('my_app', `1.2.${index % 3}`, index % 100 === 7 ? { status: 'FATAL', exitstatus: 1, uptime: 0 } : {})];
  const info = { uname: 'Linux gateway 6.6.30 armv7l', df: index % 10 === 3 ? DF : DF.replace('93%', '13%'), free: FREE, ipaddrs: 'eth0 192.168.1.7' };
  const usage = { eth0: { top_consumer: 'gmq', all: { gwe: { tot_rx: 1000, tot_tx: 4000, num: 3 }, gmq: { tot_rx: 900, tot_tx: 44000, num: 30 } } } };
  return [
    [sn, 'engine_report', JSON.stringify({ apps })],
    [sn, 'device_info', JSON.stringify(info)],
    [sn, 'usage_report', JSON.stringify(usage)],
    [sn, 'fetch_status', index % 50 === 9 ? '[gwe] rolled back my_app v2 to v1.2.0: my_app did not stay up' : 'done\n[gwe] installed my_app v1.2.0 in 1.2 s'],
  ];
}

// A day of a sensor, with two hours of silence in the middle, by the device's own call.
async function sensor(murano, sn) {
  const answer = await fetch(`${murano.url}/provision/activate`, { method: 'POST', body: `vendor=p&model=p&sn=${encodeURIComponent(sn)}` });
  const cik = await answer.text();
  const now = Math.floor(Date.now() / 1000);
  const points = [];
  for (let ago = 23 * 3600; ago > 0; ago -= 300) {
    if (ago < 14 * 3600 && ago > 12 * 3600) continue;
    points.push(`${now - ago}=${(20 + 3 * Math.sin(ago / 9000)).toFixed(2)}`);
  }
  const body = `alias=temperature&${points.join('&')}`;
  const recorded = await fetch(`${murano.url}/onep:v1/stack/record`, { method: 'POST', headers: { 'X-Exosite-CIK': cik }, body });
  assert.equal(recorded.status, 204);
}

const why = cannot();
let murano, browser, page;
const errors = [];

before(async () => {
  if (why) return;
  murano = await Murano.start('--open');
  await murano.write(Array.from({ length: COUNT }, (_, index) => reports(index)).flat());
  await sensor(murano, serial(3));
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (line) => line.type() === 'error' && errors.push(line.text()));
  await page.goto(`${murano.url}/`);
  await page.waitForSelector('tbody tr');
});

after(async () => {
  await browser?.close();
  await murano?.stop();
  assert.deepEqual(errors, []);
});

const rows = () => page.locator('.fleet tbody tr').count();
const shot = async (name) => SHOTS && page.screenshot({ path: join(SHOTS, `${name}.png`) });

async function assertAccessible(what) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes[0].html}`), []);
}

test('a thousand gateways are shown, filtered and sorted', { skip: why }, async () => {
  assert.equal(await rows(), COUNT);
  await page.getByLabel('Filter').fill('fatal');
  await page.waitForFunction(() => document.querySelectorAll('.fleet tbody tr').length === 10);
  await page.getByLabel('Filter').fill('disk my_app 1.2.0');
  await page.waitForFunction(() => document.querySelectorAll('.fleet tbody tr').length > 10);
  for (const text of await page.locator('.fleet tbody tr').allInnerTexts()) assert.match(text, /1\.2\.0[\s\S]*disk/);
  await page.getByLabel('Filter').fill('');
  await page.waitForFunction((count) => document.querySelectorAll('.fleet tbody tr').length === count, COUNT);
  await page.getByRole('button', { name: 'Alarms' }).click();
  assert.match(await page.locator('.fleet tbody tr').first().innerText(), /⚠/);
  assert.equal(await page.locator('th[aria-sort=ascending]').innerText(), 'Alarms ▲');
  await shot('fleet');
  await page.getByRole('button', { name: 'Serial number' }).click();
  assert.match(await page.locator('.fleet tbody tr').first().innerText(), /00:11:22:33:00:00/);
});

test('what changes on a gateway shows by itself', { skip: why }, async () => {
  const sn = serial(1);
  await page.getByLabel('Filter').fill(sn);
  await murano.write([[sn, 'engine_report', JSON.stringify({ apps: [{ another_app: { status: 'FATAL', version: '9' } }] })]]);
  await page.waitForSelector('text=another_app is FATAL');
  await page.getByLabel('Filter').fill('');
});

test('a gateway is told as people read it', { skip: why }, async () => {
  await page.goto(`${murano.url}/#/gateway/${encodeURIComponent(serial(3))}`);
  await page.waitForSelector('h2:has-text("Traffic")');
  const meter = page.getByLabel('/var/lib in use');
  assert.equal(await meter.getAttribute('value'), '93');
  assert.equal(await page.getByLabel('/ in use').locator('xpath=..').innerText(), '/\n100 %\n100 % of 19.2 MB, only read'.replace('\n100 %\n', '\n'));
  await page.locator('summary', { hasText: 'temperature' }).click();
  const plot = page.getByRole('img', { name: /^temperature: \d+ points/ });
  await plot.waitFor();
  await page.getByRole('button', { name: 'an hour' }).click();
  await page.waitForFunction(() => /^temperature: 1[12] points/.test(document.querySelector('[role=img]')?.getAttribute('aria-label')));
  await page.getByRole('button', { name: 'a day' }).click();
  await page.waitForFunction(() => /^temperature: 2\d\d points/.test(document.querySelector('[role=img]')?.getAttribute('aria-label')));
  await page.locator('summary', { hasText: 'Raw values' }).first().click();
  assert.ok((await page.locator('details details table tr').count()) > 200);
  await page.locator('summary', { hasText: 'Raw values' }).first().click();
  if (SHOTS) await page.screenshot({ path: join(SHOTS, 'gateway.png'), fullPage: true });
});

test('axe-core finds nothing, by day and by night', { skip: why }, async () => {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await assertAccessible(`gateway, ${colorScheme}`);
  }
  await page.goto(`${murano.url}/#/`);
  await page.waitForSelector('.fleet tbody tr');
  // axe looks at each element's colours: a tenth of the fleet has all that the whole has.
  await page.getByLabel('Filter').fill('disk');
  await page.locator('summary', { hasText: 'Deploy' }).click();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await assertAccessible(`fleet, ${colorScheme}`);
  }
  await page.getByLabel('Filter').fill('');
  await page.locator('summary', { hasText: 'Deploy' }).click();
});

test('on a phone nothing is wider than the screen', { skip: why }, async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  const isTooWide = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(await isTooWide(), false, 'the fleet');
  await shot('phone');
  await page.getByRole('link', { name: serial(3) }).click();
  await page.waitForSelector('h2:has-text("Traffic")');
  assert.equal(await isTooWide(), false, 'a gateway');
  await page.setViewportSize({ width: 1200, height: 800 });
  await page.emulateMedia({ colorScheme: 'light' });
});

test('everything can be done by keyboard', { skip: why }, async () => {
  await page.goto(`${murano.url}/#/`);
  await page.waitForSelector('.fleet tbody tr');
  await page.locator('a.home').focus();
  const focused = () => page.evaluate(() => {
    const node = document.activeElement;
    return node.getAttribute('aria-label') ?? node.closest('label')?.innerText ?? node.innerText;
  });
  const reach = async (what) => {
    for (let presses = 0; presses < 40; presses += 1) {
      if ((await focused()).trim().startsWith(what)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${what} is not reached by Tab`);
  };
  await reach('Filter');
  await page.keyboard.type(serial(5));
  await page.waitForFunction(() => document.querySelectorAll('.fleet tbody tr').length === 1);
  await reach('Deploy');
  await page.keyboard.press('Enter');
  assert.ok(await page.locator('details.panel').evaluate((details) => details.open));
  await reach(`choose ${serial(5)}`);
  await page.keyboard.press('Space');
  await page.waitForSelector('text=1 chosen');
  await reach(serial(5));
  await page.keyboard.press('Enter');
  await page.waitForSelector(`h1:has-text("${serial(5)}")`);
  await page.locator('a.home').focus();
  await reach('Check in every');
  await page.keyboard.type('900');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=checks in every 900 s');
  assert.equal(murano.run('product', 'device', 'read', serial(5), 'update_interval').trim(), '900');
});
