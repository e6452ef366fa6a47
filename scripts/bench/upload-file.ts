/** Uploads one file from the sources of the actions, in pieces as an archive is that still grows: nothing else is measured. */
import { createHttpClient } from '../../src/http/client.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { uploadGrowing } from '../../src/owncloud/upload-growing.ts';

const [url = '', password = '', path = '', size = '', uploadSum = ''] = process.argv.slice(2);
const bytes = Number(size);
const http = createHttpClient();
const remote = await connect({ url, username: password, password }, { http });
const complete = Promise.resolve({ bytes, uploadSum, sha256: '' });
await uploadGrowing(remote, { source: { path, reach: async () => bytes, complete }, folder: '', name: 'archive' }, {});
await http.close();
