import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** Chromium's errors are objects, those of WebDriver BiDi a code and a message beside it. */
const messageSchema = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  result: z.unknown().optional(),
  error: z.union([z.string(), z.object({ message: z.string() })]).optional(),
  message: z.string().optional(),
});
type Message = z.infer<typeof messageSchema>;

/** A browser that is told by JSON what to do, and tells what happens. */
export interface Session {
  send(method: string, params?: object): Promise<unknown>;
  onEvent(listen: (method: string, params: Record<string, unknown>) => void): void;
}

/** Speaks with the browser that listens at an address, as soon as it does. */
export async function openSession(address: string): Promise<Session> {
  const socket = await openSocket(address);
  const answers = new Map<number, (message: Message) => void>();
  let listener: Parameters<Session['onEvent']>[0] = () => undefined;
  socket.addEventListener('message', ({ data }) => {
    const message = messageSchema.parse(JSON.parse(String(data)));
    if (message.id !== undefined) answers.get(message.id)?.(message);
    else listener(message.method ?? '', message.params ?? {});
  });
  let last = 0;
  return {
    async send(method, params = {}) {
      const id = ++last;
      const { error, message, result } = await new Promise<Message>((resolve) => {
        answers.set(id, resolve);
        socket.send(JSON.stringify({ id, method, params }));
      });
      if (typeof error === 'string') throw new Error(`${method}: ${error}, ${message}`);
      if (error) throw new Error(`${method}: ${error.message}`);
      return result;
    },
    onEvent(listen) {
      listener = listen;
    },
  };
}

/** Firefox listens some seconds after its start. */
async function openSocket(address: string): Promise<WebSocket> {
  for (let tries = 0; tries < 300; tries++) {
    const socket = new WebSocket(address);
    const opened = await new Promise<boolean>((resolve) => {
      socket.addEventListener('open', () => resolve(true));
      socket.addEventListener('error', () => resolve(false));
    });
    if (opened) return socket;
    await sleep(100);
  }
  throw new Error(`The browser does not start: nobody listens at ${address}.`);
}
