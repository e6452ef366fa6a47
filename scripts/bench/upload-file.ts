/** Uploads one file from the sources of the actions, as they upload a model: nothing else is measured. */
import { createHttpClient } from '../../src/http/client.ts';
import { connect } from '../../src/owncloud/connect.ts';
import { uploadFile } from '../../src/owncloud/upload.ts';

const [url = '', password = '', localPath = '', bytes = '', sha1 = ''] = process.argv.slice(2);
const http = createHttpClient();
const remote = await connect({ url, username: password, password }, { http });
await uploadFile(remote, { localPath, folder: '', name: 'archive', bytes: Number(bytes), sha1 }, {});
await http.close();
