import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { createHttpClient } from '../../src/http/client.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { uploadGrowing } from '../../src/owncloud/upload-growing.ts';

/**
 * A process of its own that uploads a file of nothing but zeros, as three pieces of `size / 3` bytes at a time, and tells
 * by how many bytes its memory grew at most.
 */
const [, , url = '', username = '', password = '', path = '', size = ''] = process.argv;
const bytes = Number(size);
const file = await open(path, 'w');
await file.truncate(bytes);
await file.close();
const sha1 = createHash('sha1');
const zeros = Buffer.alloc(1_000_000);
for (let at = 0; at < bytes; at += zeros.length) sha1.update(zeros);

const http = createHttpClient();
const remote = await connect({ url, username, password }, { http });
const before = process.memoryUsage().rss;
const chunk = Math.ceil(bytes / 3);
const source = {
  path,
  reach: async () => bytes,
  complete: Promise.resolve({ bytes, uploadSum: sha1.digest('hex'), sha256: '' }),
};
const sizes = { start: chunk, min: chunk, max: chunk };
const { verified } = await uploadGrowing(remote, { source, folder: '', name: 'zeros.zip' }, { sizes });
await http.close();
process.stdout.write(JSON.stringify({ verified, grownBy: process.resourceUsage().maxRSS * 1024 - before }));
