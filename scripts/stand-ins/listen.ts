import type { Server } from 'node:http';

export interface ListeningServer {
  /** Ends with a slash. */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts a server on loopback, on a free port unless one is given. */
export async function listenOn(server: Server, port = 0): Promise<ListeningServer> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
