import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Page, until } from './browser-page.ts';
import { openSession, type Session } from './browser-session.ts';
import { firstCommand } from './commands.ts';
import { freePort } from './daemon.ts';

const treeSchema = z.object({ contexts: z.tuple([z.object({ context: z.string() })]) });
const evaluatedSchema = z.object({
  result: z.object({ value: z.unknown().optional(), sharedId: z.string().optional() }).optional(),
  exceptionDetails: z.object({ text: z.string() }).optional(),
});
const requestSchema = z.object({ request: z.object({ url: z.string() }) });

/** Opens an address in Firefox, without a window, and speaks WebDriver BiDi with it. */
export async function openInFirefox(url: string): Promise<Page> {
  const program = firstCommand(['firefox-esr', 'firefox'], 'on Debian “apt-get install firefox-esr”');
  const profile = await mkdtemp(join(tmpdir(), 'diatom-firefox-'));
  const port = await freePort();
  const flags = ['--headless', '--no-remote', '--remote-debugging-port', String(port), '--profile', profile];
  // Firefox does not start for root in another user's home.
  const child = spawn(program, [...flags, 'about:blank'], { stdio: 'ignore', env: { ...process.env, HOME: profile } });
  const close = async () => {
    const ended = new Promise((resolve) => child.once('close', resolve));
    if (child.kill()) await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    return { ...(await pageOf(await openSession(`ws://127.0.0.1:${port}/session`), url)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function pageOf(session: Session, url: string): Promise<Omit<Page, 'close'>> {
  const requests: string[] = [];
  const errors: string[] = [];
  session.onEvent((method, params) => {
    if (method === 'network.beforeRequestSent') requests.push(requestSchema.parse(params).request.url);
    if (method === 'log.entryAdded') errors.push(JSON.stringify(params));
  });
  await session.send('session.new', { capabilities: {} });
  const { context } = treeSchema.parse(await session.send('browsingContext.getTree')).contexts[0];
  await session.send('session.subscribe', { events: ['log.entryAdded', 'network.beforeRequestSent'] });
  await session.send('browsingContext.navigate', { context, url, wait: 'complete' });
  const result = async (expression: string) => {
    const options = { expression, target: { context }, awaitPromise: true };
    const answer = evaluatedSchema.parse(await session.send('script.evaluate', options));
    if (answer.exceptionDetails) throw new Error(`${expression}: ${answer.exceptionDetails.text}`);
    return answer.result;
  };
  const evaluate = async (expression: string) => (await result(expression))?.value;
  return {
    requests,
    errors,
    evaluate,
    until: (expression) => until(evaluate, expression, errors),
    async choose(selector, files) {
      const element = await result(`document.querySelector('${selector}')`);
      await session.send('input.setFiles', { context, element: { sharedId: element?.sharedId }, files });
    },
  };
}
