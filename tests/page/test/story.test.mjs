// The story of `make demo`, by clicks: a gateway with an app under supervisord, updated, broken, rolled back, all seen and done in the page.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { GWE, PROJECT, cannot, openBrowser } from './browser.mjs';

const SERIAL = 'demo-gateway-1';
// An installation settles for ten seconds; machines are slow.
const PATIENCE = 120_000;
const why = cannot() || (!existsSync(GWE) && 'needs make build');
let folder, browser, page, url;
const errors = [];

before(async () => {
  if (why) return;
  folder = mkdtempSync(join(tmpdir(), 'page-story-'));
  const demo = spawnSync('sh', [join(PROJECT, 'tests/demo/demo.sh')], {
    env: { ...process.env, KEEP: '1', DEMO_DIR: join(folder, 'demo') }, encoding: 'utf8', timeout: 300_000,
  });
  assert.equal(demo.status, 0, demo.stdout + demo.stderr);
  url = /MURANO_URL=(\S+)/.exec(demo.stdout)[1];
  browser = await openBrowser();
  page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${url}/`);
});

after(async () => {
  await browser?.close();
  if (folder && existsSync(join(folder, 'demo/stop.sh'))) execFileSync('sh', [join(folder, 'demo/stop.sh')]);
  if (folder) rmSync(folder, { recursive: true });
  assert.deepEqual(errors, []);
});

// A tarball of the sample app, with its greeting, and with files put in the place of its own.
function built(version, greeting, files = {}) {
  const app = join(folder, 'app');
  rmSync(app, { recursive: true, force: true });
  cpSync(join(PROJECT, 'tests/demo/hello'), app, { recursive: true });
  writeFileSync(join(app, 'greeting.txt'), `${greeting}\n`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(app, name), text, { mode: 0o755 });
  return execFileSync(GWE, ['--build-app', join(app, 'buildfile.json'), '--app-version', version], { cwd: folder, encoding: 'utf8' }).trim();
}

async function deploy(tarball) {
  const name = tarball.split('/').at(-1);
  await page.goto(`${url}/#/`);
  await page.reload();
  await page.getByLabel(`choose ${SERIAL}`).check();
  await page.locator('summary', { hasText: 'Deploy' }).click();
  await page.getByLabel('Drop tarballs here').setInputFiles(tarball);
  await page.locator('li', { hasText: `${name}: taken` }).waitFor();
  await page.getByRole('button', { name: 'Send to 1 chosen gateway' }).click();
  await page.waitForSelector('text=sent to 1 gateway');
  return page.getByLabel('Progress');
}

test('a gateway comes in by itself', { skip: why }, async () => {
  await page.locator('tr', { hasText: SERIAL }).filter({ hasText: 'hello_gateway' }).waitFor();
});

test('an app is updated', { skip: why }, async () => {
  const progress = await deploy(built('3.0.0', 'Hello from the page'));
  await progress.locator('text=/requested|taken/').waitFor();
  await progress.locator('text=installed').waitFor();
  await page.locator('tr', { hasText: 'hello_gateway 3.0.0 RUNNING' }).waitFor();
  assert.match(readFileSync(join(folder, 'demo/root/var/log/hello_gateway.log'), 'utf8'), /Hello from the page/);
});

test('a tarball that no gateway would take is refused with its faults', { skip: why }, async () => {
  const bad = join(folder, 'hello_gateway.v9.tar.gz');
  writeFileSync(bad, 'no tarball');
  await page.getByLabel('Drop tarballs here').setInputFiles(bad);
  await page.locator('li', { hasText: 'hello_gateway.v9.tar.gz: refused' }).locator('.bad').waitFor();
});

test('an installation that fails tells what install.sh said', { skip: why }, async () => {
  const progress = await deploy(built('4.0.0', 'x', { 'install.sh': '#!/bin/sh\necho the valve is stuck\nexit 3\n' }));
  await progress.locator('text=failed').waitFor();
  await page.getByRole('link', { name: SERIAL }).click();
  await page.locator('pre', { hasText: 'the valve is stuck' }).waitFor();
  await page.locator('summary', { hasText: 'install.sh exited with 3' }).first().waitFor();
});

test('a version that does not stay up is rolled back, and that is an alarm', { skip: why }, async () => {
  const conf = '[supervisord]\ncommand = /bin/false\nstartretries = 1\n';
  const progress = await deploy(built('5.0.0', 'x', { 'supervisor.conf': conf }));
  await progress.locator('text=rolled back').waitFor();
  await page.locator('tr', { hasText: 'hello_gateway 3.0.0 RUNNING' }).locator('.alarm', { hasText: 'rolled back' }).waitFor();
});

test('logs are asked for, and come', { skip: why }, async () => {
  await page.getByRole('link', { name: SERIAL }).click();
  await page.getByRole('button', { name: 'Ask for logs' }).click();
  await page.waitForSelector('text=its logs come with its next check-in');
  await page.locator('pre', { hasText: '== log of hello_gateway: ' }).waitFor();
  await page.locator('pre', { hasText: '| Hello from the page' }).waitFor();
  await page.locator('dd li', { hasText: 'logs of ' }).filter({ hasText: 'answered' }).waitFor();
  await page.goto(`${url}/#/`);
});

test('interval, revocation and a support bundle', { skip: why }, async () => {
  await page.getByRole('link', { name: SERIAL }).click();
  await page.getByLabel('Check in every').fill('3');
  await page.getByRole('button', { name: 'Set' }).click();
  await page.waitForSelector('text=3 seconds (3 s)');
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Support bundle' }).click();
  const bundle = JSON.parse(readFileSync(await (await download).path(), 'utf8'));
  assert.equal(bundle.gateway.sn, SERIAL);
  assert.ok(bundle.aliases.engine_report.length > 0);
  assert.ok(!JSON.stringify(bundle).includes('"cik"'));
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Really revoke its CIK?' }).click();
  await page.waitForSelector('text=its CIK is void');
});
