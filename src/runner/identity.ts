import { getIDToken } from '@actions/core';
import * as z from 'zod/mini';
import { messageOf, unlessCancelled } from '../errors.ts';

/** What GitHub says about this job to others that trust it (OIDC); no secret. */
export type Identity = { readonly subject: string; readonly audience: string } | { readonly refusal: string };

const claims = z.object({ sub: z.string(), aud: z.string() });
const WAIT_MS = 60_000;

/** Asks GitHub for the identity of this job, which it has only with the permission `id-token: write`. */
export async function identityOfJob(audience: string): Promise<Identity> {
  if (!process.env['ACTIONS_ID_TOKEN_REQUEST_URL']) return { refusal: '' };
  try {
    const token = await unlessCancelled(getIDToken(audience), AbortSignal.timeout(WAIT_MS));
    const [, payload = ''] = token.split('.');
    const { sub, aud } = claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return { subject: sub, audience: aud };
  } catch (error) {
    return { refusal: messageOf(error) };
  }
}
