import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Page, until } from './browser-page.ts';
import { openSession, type Session } from './browser-session.ts';
import { firstCommand } from './commands.ts';

/** As Debian and GitHub's runners call it. */
const PROGRAMS = ['chromium', 'google-chrome', 'chromium-browser'];

/** Opens an address in Chromium, without a window and without rights to read files beside the page. */
export async function openInChromium(url: string): Promise<Page> {
  const program = firstCommand(PROGRAMS, 'on Debian “apt-get install chromium”');
  const profile = await mkdtemp(join(tmpdir(), 'diatom-chromium-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  const quiet = ['--disable-component-update', '--disable-sync', `--user-data-dir=${profile}`];
  const child = spawn(program, [...flags, ...quiet, '--remote-debugging-port=0', 'about:blank'], {
    stdio: 'ignore',
  });
  const close = async () => {
    const ended = new Promise((resolve) => child.once('close', resolve));
    if (child.kill()) await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const session = await openSession(await debuggerOf(profile));
    const page = await pageOf(session);
    await session.send('Page.navigate', { url });
    await page.until(`location.href !== 'about:blank' && document.readyState === 'complete'`);
    return { ...page, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Address of the blank tab's debugger; Chromium writes its port into its profile when it listens. */
async function debuggerOf(profile: string): Promise<string> {
  for (let tries = 0; tries < 1200; tries++) {
    const port = await readFile(join(profile, 'DevToolsActivePort'), 'utf8').catch(() => '');
    if (port.includes('\n')) {
      const answer = await fetch(`http://127.0.0.1:${port.split('\n')[0]}/json/list`);
      const targets = z
        .array(z.object({ type: z.string(), webSocketDebuggerUrl: z.string() }))
        .parse(await answer.json());
      const tab = targets.find(({ type }) => type === 'page');
      if (tab) return tab.webSocketDebuggerUrl;
    }
    await sleep(100);
  }
  throw new Error('Chromium does not start.');
}

const requestSchema = z.object({ request: z.object({ url: z.string() }) });
const evaluatedSchema = z.object({
  result: z.object({ value: z.unknown().optional() }),
  exceptionDetails: z.object({ text: z.string() }).optional(),
});

async function pageOf(session: Session): Promise<Omit<Page, 'close'>> {
  const requests: string[] = [];
  const errors: string[] = [];
  session.onEvent((method, params) => {
    if (method === 'Network.requestWillBeSent') requests.push(requestSchema.parse(params).request.url);
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') errors.push(JSON.stringify(params));
  });
  for (const domain of ['Page', 'Runtime', 'Network', 'DOM', 'Log']) await session.send(`${domain}.enable`);
  const evaluate = async (expression: string) => {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = evaluatedSchema.parse(await session.send('Runtime.evaluate', options));
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  };
  return {
    requests,
    errors,
    evaluate,
    until: (expression) => until(evaluate, expression, errors),
    async choose(selector, files) {
      const { result } = z
        .object({ result: z.object({ objectId: z.string() }) })
        .parse(await session.send('Runtime.evaluate', { expression: `document.querySelector('${selector}')` }));
      await session.send('DOM.setFileInputFiles', { files, objectId: result.objectId });
    },
  };
}
