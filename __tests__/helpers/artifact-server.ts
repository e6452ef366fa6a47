import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { startServer } from './loopback-server.ts';

const named = z.object({ name: z.string() });
const created = z.object({ name: z.string(), expires_at: z.string().optional() });
const finished = z.object({ name: z.string(), size: z.string() });
const filter = z.object({ name_filter: z.string().optional(), id_filter: z.string().optional() });

export interface ArtifactServer {
  /** What a runner gives to an action so that it can upload and download artifacts. */
  readonly environment: { readonly ACTIONS_RESULTS_URL: string; readonly ACTIONS_RUNTIME_TOKEN: string };
  /** The uploaded artifacts that were finished, by name: the zip, and its size as it was announced at the end. */
  readonly artifacts: Map<string, { readonly zip: Buffer; readonly size: string }>;
  /** Until when the service was asked to keep what was created, by name. */
  readonly expirations: Map<string, string | undefined>;
}

/** What a call gets instead of its answer: a status with a message of the service, or nothing for ever. */
export type ArtifactFault = { readonly status: number; readonly msg?: string } | 'hang';

/** As GitHub says that an account's storage is full (actions/toolkit, packages/artifact, `UsageError`). */
export const QUOTA_FULL: ArtifactFault = { status: 403, msg: 'insufficient usage to create artifact' };

export interface ArtifactServerOptions {
  readonly refuse?: boolean;
  /** Called for each request with the name of the call, or `block` and `blocklist` for those of the blob storage. */
  readonly fault?: (call: string) => ArtifactFault | undefined;
}

/**
 * The part of GitHub's artifact service that uploads and downloads of one workflow run speak to: the calls of
 * `ArtifactService` as Twirp, and between them the blocks and the block list of Azure's blob storage. It ends with the
 * test.
 */
export async function startArtifactServer(options: ArtifactServerOptions = {}): Promise<ArtifactServer> {
  const artifacts: ArtifactServer['artifacts'] = new Map();
  const expirations: ArtifactServer['expirations'] = new Map();
  const blocks = new Map<string, Buffer>();
  const blobs = new Map<string, Buffer>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    const url = new URL(request.url ?? '', server.origin);
    const json = (value: object) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const message = () => JSON.parse(body.toString());
    const blobUrl = (name: string) => `${server.origin}/account/container/${encodeURIComponent(name)}?sig=signature`;
    const name = decodeURIComponent(url.pathname.replace('/account/container/', ''));
    const call = url.pathname.replace(/^\/twirp\/.*\//, '');
    const part = url.searchParams.get('comp');
    const fault = options.fault?.(part ?? call);
    if (fault === 'hang') return;
    if (fault) {
      const { status, ...said } = fault;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
    } else if (call === 'CreateArtifact') {
      const { name, expires_at: expires } = created.parse(message());
      expirations.set(name, expires);
      if (options.refuse) json({ ok: false });
      else json({ ok: true, signed_upload_url: blobUrl(name) });
    } else if (call === 'FinalizeArtifact') {
      const { name, size } = finished.parse(message());
      artifacts.set(name, { zip: blobs.get(name) ?? Buffer.alloc(0), size });
      json({ ok: true, artifact_id: idOf(name) });
    } else if (call === 'ListArtifacts') {
      const wanted = filter.parse(message());
      const found = [...artifacts].map(([name, { zip, size }]) => ({
        workflow_run_backend_id: 'run',
        workflow_job_run_backend_id: 'job',
        database_id: idOf(name),
        name,
        size,
        digest: `sha256:${createHash('sha256').update(zip).digest('hex')}`,
      }));
      const isWanted = (artifact: (typeof found)[number]) =>
        (wanted.name_filter ?? artifact.name) === artifact.name &&
        (wanted.id_filter ?? artifact.database_id) === artifact.database_id;
      json({ artifacts: found.filter(isWanted) });
    } else if (call === 'GetSignedArtifactURL') json({ signed_url: blobUrl(named.parse(message()).name) });
    else if (request.method === 'GET' && blobs.has(name)) {
      response.writeHead(200, { 'content-type': 'application/zip' }).end(blobs.get(name));
    } else if (request.method === 'PUT' && part === 'block') {
      blocks.set(`${name} ${url.searchParams.get('blockid')}`, body);
      response.writeHead(201).end();
    } else if (request.method === 'PUT' && part === 'blocklist') {
      const ids = [...body.toString().matchAll(/<Latest>([^<]+)<\/Latest>/g)].map((match) => match[1] ?? '');
      blobs.set(name, Buffer.concat(ids.map((id) => blocks.get(`${name} ${id}`) ?? Buffer.alloc(0))));
      response.writeHead(201).end();
    } else response.writeHead(404).end();
  }

  /** An artifact's number: they count from 1. */
  const ids: string[] = [];
  function idOf(name: string): string {
    if (!ids.includes(name)) ids.push(name);
    return String(ids.indexOf(name) + 1);
  }

  const server = await startServer((request, response) => void answer(request, response));
  onTestFinished(() => server.close());
  const claims = Buffer.from(JSON.stringify({ scp: 'Actions.Results:run:job' })).toString('base64url');
  return {
    environment: { ACTIONS_RESULTS_URL: `${server.origin}/`, ACTIONS_RUNTIME_TOKEN: `e30.${claims}.none` },
    artifacts,
    expirations,
  };
}
