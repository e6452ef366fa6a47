import type { IncomingMessage, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { startServer } from './loopback-server.ts';

const finished = z.object({ name: z.string(), size: z.string() });

export interface ArtifactServer {
  /** What a runner gives to an action so that it can upload artifacts. */
  readonly environment: { readonly ACTIONS_RESULTS_URL: string; readonly ACTIONS_RUNTIME_TOKEN: string };
  /** The uploaded artifacts that were finished, by name: the zip, and its size as it was announced at the end. */
  readonly artifacts: Map<string, { readonly zip: Buffer; readonly size: string }>;
}

/**
 * The part of GitHub's artifact service that an upload speaks to: CreateArtifact and FinalizeArtifact as Twirp, and
 * between them the blocks and the block list of Azure's blob storage.
 */
export async function startArtifactServer(options: { readonly refuse?: boolean } = {}): Promise<ArtifactServer> {
  const artifacts: ArtifactServer['artifacts'] = new Map();
  const blocks = new Map<string, Buffer>();
  let blob = Buffer.alloc(0);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const url = new URL(request.url ?? '', server.origin);
    const json = (value: object) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname.endsWith('/CreateArtifact')) {
      if (options.refuse) json({ ok: false });
      else json({ ok: true, signed_upload_url: `${server.origin}/account/container/blob?sig=signature` });
    } else if (url.pathname.endsWith('/FinalizeArtifact')) {
      const { name, size } = finished.parse(JSON.parse(body.toString()));
      artifacts.set(name, { zip: blob, size });
      json({ ok: true, artifact_id: '7' });
    } else if (request.method === 'PUT' && url.searchParams.get('comp') === 'block') {
      blocks.set(url.searchParams.get('blockid') ?? '', body);
      response.writeHead(201).end();
    } else if (request.method === 'PUT' && url.searchParams.get('comp') === 'blocklist') {
      const ids = [...body.toString().matchAll(/<Latest>([^<]+)<\/Latest>/g)].map((match) => match[1] ?? '');
      blob = Buffer.concat(ids.map((id) => blocks.get(id) ?? Buffer.alloc(0)));
      response.writeHead(201).end();
    } else response.writeHead(404).end();
  }

  const server = await startServer((request, response) => void answer(request, response));
  onTestFinished(() => server.close());
  const claims = Buffer.from(JSON.stringify({ scp: 'Actions.Results:run:job' })).toString('base64url');
  return {
    environment: { ACTIONS_RESULTS_URL: `${server.origin}/`, ACTIONS_RUNTIME_TOKEN: `e30.${claims}.none` },
    artifacts,
  };
}
