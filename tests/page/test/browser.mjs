// A browser and a murano for the tests: Debian's Chromium, driven by Playwright, and the built server on loopback.
import { chromium } from 'playwright-core';
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const here = new URL('.', import.meta.url).pathname;
export const PROJECT = join(here, '../../..');
export const MURANO = process.env.MURANO_BIN ?? join(PROJECT, 'tests/target/debug/murano');
export const GWE = process.env.GWE_BIN ?? join(PROJECT, 'target/release/gwe');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

// Why the tests of the page cannot run here; false where they can.
export function cannot() {
  if (!existsSync(CHROMIUM)) return 'needs Chromium (Debian: chromium)';
  if (!existsSync(MURANO)) return 'needs make page';
  return false;
}

// No word to anybody but the page.
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const openBrowser = () => chromium.launch({ executablePath: CHROMIUM, args: QUIET });

export class Murano {
  static async start(...flags) {
    const folder = mkdtempSync(join(tmpdir(), 'murano-page-'));
    const child = spawn(MURANO, ['serve', '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--for', '600', ...flags]);
    const murano = new Murano();
    Object.assign(murano, { folder, child, url: null });
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /^page: (http\S+)\//.exec(line);
      if (found) {
        murano.url = found[1];
        break;
      }
      if (line.startsWith('page:')) throw new Error(line);
    }
    return murano;
  }

  // Values of gateways, as [serial number, alias, value], many at a time.
  async write(values) {
    const put = ([sn, alias, value]) =>
      fetch(`${this.url}/admin/devices/${encodeURIComponent(sn)}/aliases/${encodeURIComponent(alias)}`, { method: 'PUT', body: value });
    for (let at = 0; at < values.length; at += 50) {
      const answers = await Promise.all(values.slice(at, at + 50).map(put));
      const refused = answers.find((answer) => answer.status !== 204);
      if (refused) throw new Error(await refused.text());
    }
  }

  run(...words) {
    return execFileSync(MURANO, [...words, '--url', this.url], { encoding: 'utf8' });
  }

  async stop() {
    this.child.kill('SIGTERM');
    if (this.child.exitCode === null) await once(this.child, 'exit');
    rmSync(this.folder, { recursive: true });
  }
}
