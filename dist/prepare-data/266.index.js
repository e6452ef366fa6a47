export const id = 266;
export const ids = [266];
export const modules = {

/***/ 67266:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  connect: () => (/* binding */ connect)
});

// EXTERNAL MODULE: ./build/errors.js
var errors = __webpack_require__(19473);
// EXTERNAL MODULE: ./build/http/retry.js
var retry = __webpack_require__(44675);
;// CONCATENATED MODULE: ./build/owncloud/address.js

/** Ends of browser addresses that people copy: the server's own address is what comes before. */
const BROWSER_PAGE = /\/(?:index\.php(?:\/.*)?|apps\/[a-z_]+(?:\/.*)?|login(?:\/.*)?|f\/\d+|files\/spaces(?:\/.*)?|status\.php|remote\.php(?:\/dav(?:\/files)?)?)$/;
/**
 * A shared link: `/s/<token>` (ownCloud, Nextcloud and Infinite Scale), also behind `/index.php`, and the two WebDAV
 * addresses that stand for the same link (see public-link.ts).
 */
const PUBLIC_LINK = /^(?<base>.*?)(?:\/index\.php)?(?:\/s|\/remote\.php\/dav\/public-files|\/public\.php\/dav\/files)\/(?<token>[A-Za-z0-9_-]+)(?:\/(?:download|authenticate.*))?$/;
const DAV = /^(?<base>.*?)(?<dav>\/(?:remote\.php\/(?:webdav|dav\/[^/]+\/[^/]+)|public\.php\/webdav)(?:\/.*)?)$/;
/**
 * Sorts out what a person wrote into `owncloud-url`: a server's address (also under a sub-path, also copied from the
 * browser), a WebDAV address, or a public link. Asks nobody.
 *
 * @throws DiatomError `INPUT` when it is not a web address, or holds a user name or password (the address is shown in
 *   logs), or a part after `?` that has no meaning here
 */
function parseOwncloudAddress(text) {
    const url = parseUrl(text.trim());
    const path = url.pathname.replace(/\/+$/, '');
    const link = PUBLIC_LINK.exec(path)?.groups;
    if (link?.['token'] !== undefined) {
        return { kind: 'public-link', base: folderUrl(url, link['base'] ?? ''), token: link['token'] };
    }
    const dav = DAV.exec(path)?.groups;
    if (dav) {
        refuseQuery(url);
        return { kind: 'dav', base: folderUrl(url, dav['base'] ?? ''), root: folderUrl(url, path) };
    }
    const base = path.replace(BROWSER_PAGE, '');
    if (base === path)
        refuseQuery(url);
    return { kind: 'server', base: folderUrl(url, base) };
}
function parseUrl(text) {
    const expected = 'expected an address such as https://cloud.example.org, copied from the browser';
    if (text === '')
        throw new errors/* DiatomError */.dL('INPUT', `owncloud-url is empty: ${expected}.`);
    const url = URL.parse(text);
    if (url?.username || url?.password || /^(?:[a-z]+:\/\/)?[^/?#]*@/i.test(text)) {
        throw new errors/* DiatomError */.dL('INPUT', 'owncloud-url holds a user name or a password (the part before “@”). The address is shown in logs: remove that part, use the inputs owncloud-username and owncloud-password, and change the password if a log may have shown it.');
    }
    if (!url || url.host === '')
        throw new errors/* DiatomError */.dL('INPUT', `owncloud-url is “${text}”: ${expected}.`);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        throw new errors/* DiatomError */.dL('INPUT', `owncloud-url is “${text}”: it has to begin with https:// (or http://).`);
    }
    return url;
}
function refuseQuery(url) {
    if (url.search === '')
        return;
    throw new errors/* DiatomError */.dL('INPUT', `owncloud-url has a part after “?” that is not needed for ${url.host}${url.pathname}: remove it.`);
}
function folderUrl(url, path) {
    return new URL(`${path}/`, url.origin);
}

// EXTERNAL MODULE: ./build/http/client.js + 1 modules
var client = __webpack_require__(35521);
// EXTERNAL MODULE: ./build/owncloud/remote-file.js
var remote_file = __webpack_require__(26935);
// EXTERNAL MODULE: ./build/owncloud/remote-path.js
var remote_path = __webpack_require__(2310);
;// CONCATENATED MODULE: ./build/owncloud/chunking.js




/** Of S3, which Nextcloud may hand the pieces on to as they are ("between 5MB and 5GB (except for the last chunk)"). */
const NEXTCLOUD_MIN_CHUNK = 5 * 1024 * 1024;
/**
 * Finds out whether a signed-in user's server takes files in pieces: ownCloud 10 and Nextcloud say so in their
 * capabilities (`dav.chunking`, owncloud/core and nextcloud/server apps/dav/lib/Capabilities.php). Infinite Scale has
 * another way (TUS), and public links have none.
 *
 * @returns `undefined` when it does not, or does not tell: then files are sent whole
 * @throws DiatomError `NETWORK` when the server can't be reached, `CANCELLED`
 */
async function findChunking(search) {
    const { product, base, root, ask, open, patiently, signal } = search;
    if (product === 'infinite-scale')
        return undefined;
    const ocs = async (path) => field(field(parsed(await patiently(() => ask(new URL(`ocs/v1.php/${path}?format=json`, base)))), 'ocs'), 'data');
    try {
        const capabilities = field(await ocs('cloud/capabilities'), 'capabilities');
        if (!(Number(field(field(capabilities, 'dav'), 'chunking')) >= 1))
            return undefined;
        const { user = encodeURIComponent(String(field(await ocs('cloud/user'), 'id'))), below } = homeIn(root);
        const uploads = open(new URL(`remote.php/dav/uploads/${user}/`, base));
        await patiently(() => (0,remote_file/* lookUp */.TE)(uploads.client, '/', signal));
        // From the uploads, only addresses of the same kind are within reach: SabreDAV refuses the older /remote.php/webdav.
        const files = new URL(`remote.php/dav/files/${user}/${below}`, base);
        const limits = field(field(capabilities, 'files'), 'chunked_upload');
        return {
            uploads,
            targetUrl: (path) => (0,remote_path/* urlBelow */.dX)(files, path).href,
            minChunkBytes: product === 'nextcloud' ? NEXTCLOUD_MIN_CHUNK : 1,
            maxChunkBytes: positive(field(limits, 'max_size')),
            maxParallel: positive(field(limits, 'max_parallel_count')),
        };
    }
    catch (error) {
        if (error instanceof client/* NetworkError */.Dr || (error instanceof errors/* DiatomError */.dL && error.code === 'CANCELLED'))
            throw error;
        search.onWarning?.(`Files are sent to ${base.host} in one piece, because it does not show whether it takes several: ${(0,errors/* messageOf */.bD)(error)}`);
        return undefined;
    }
}
/** The user in a WebDAV address, as it is encoded there (the older kind has none), and the folder. */
function homeIn(root) {
    const address = /\/remote\.php\/(?:webdav|dav\/files\/(?<user>[^/]+))\/(?<below>.*)$/;
    const { user, below } = address.exec(root.pathname)?.groups ?? {};
    if (below === undefined)
        throw new errors/* DiatomError */.dL('OWNCLOUD', 'The address is not that of a user’s files.');
    return { user, below };
}
function parsed(text) {
    try {
        return JSON.parse(text);
    }
    catch (error) {
        throw new errors/* DiatomError */.dL('OWNCLOUD', 'The answer about its abilities is not JSON.', { cause: error });
    }
}
function field(value, name) {
    return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
function positive(value) {
    return typeof value === 'number' && value > 0 ? value : undefined;
}

;// CONCATENATED MODULE: ./build/owncloud/public-link.js
/**
 * Where a server offers a public link by WebDAV, newest way first.
 *
 * - ownCloud ≥ 10.3 and Infinite Scale: `/remote.php/dav/public-files/<token>/`, user `public` (owncloud/core
 *   apps/dav/lib/Files/PublicFiles, owncloud/docs pull 1879, owncloud/ocis issue 11346)
 * - Nextcloud ≥ 29: `/public.php/dav/files/<token>/`, user `anonymous` (Nextcloud developer manual, client APIs, WebDAV,
 *   "Public shares"; apps/dav/lib/Connector/Sabre/PublicAuth.php looks at the password only)
 * - older ones: `/public.php/webdav/`, the token as user name (owncloud/core pull 8353)
 */
function linkEndpoints(product, base, token) {
    const current = product === 'nextcloud'
        ? { root: new URL(`public.php/dav/files/${token}/`, base), username: 'anonymous', alwaysSignIn: false }
        : { root: new URL(`remote.php/dav/public-files/${token}/`, base), username: 'public', alwaysSignIn: false };
    const older = { root: new URL('public.php/webdav/', base), username: token, alwaysSignIn: true };
    return product === 'infinite-scale' ? [current] : [current, older];
}
/**
 * What a link allows, from what its top folder says of itself. ownCloud and Infinite Scale give the sum of permissions
 * (owncloud/core PublicFilesPlugin.php; cs3org/reva ocdav propfind), Nextcloud the letters.
 *
 * @returns `undefined` when nothing may be uploaded
 */
function linkAccess({ linkPermissions, permissions }) {
    if (linkPermissions !== undefined) {
        if ((linkPermissions & 4) === 0)
            return undefined;
        if ((linkPermissions & 1) === 0)
            return 'upload-only';
        return (linkPermissions & 10) === 10 ? 'full' : 'add-only';
    }
    if (permissions === undefined)
        return 'full';
    if (!permissions.includes('C'))
        return undefined;
    return permissions.includes('D') && permissions.includes('N') ? 'full' : 'add-only';
}

// EXTERNAL MODULE: external "node:stream"
var external_node_stream_ = __webpack_require__(57075);
// EXTERNAL MODULE: external "node:stream/consumers"
var consumers_ = __webpack_require__(38321);
// EXTERNAL MODULE: ./node_modules/webdav/dist/node/index.js + 74 modules
var node = __webpack_require__(19383);
// EXTERNAL MODULE: ./build/owncloud/webdav-error.js
var webdav_error = __webpack_require__(26956);
;// CONCATENATED MODULE: ./build/owncloud/webdav-client.js








/**
 * Carries the requests of one `webdav` client. The library's own transport follows redirects, has no time-outs and
 * takes a redirected upload for a success, so all requests go through our HttpClient, which never follows one.
 *
 * The credentials live here only, in a private field: the `webdav` client and whatever prints it don't have them. The
 * header is made here because the library's Base64 throws on names and passwords outside Latin-1 (RFC 7617 has UTF-8).
 */
class WebdavTransport {
    #options;
    #headers;
    #secrets;
    constructor(options) {
        const { credentials, publicLink } = options;
        const basic = credentials && Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
        this.#options = options;
        this.#headers = {
            ...(basic === undefined ? {} : { authorization: `Basic ${basic}` }),
            // ownCloud and Nextcloud refuse WebDAV on public links to others than their own page when sharing between servers
            // is switched off (owncloud/core and nextcloud/server, apps/dav/appinfo/v1/publicwebdav.php, v2/publicremote.php).
            ...(publicLink ? { 'x-requested-with': 'XMLHttpRequest' } : {}),
        };
        this.#secrets = credentials && basic ? [basic, credentials.password].filter((secret) => secret !== '') : [];
    }
    /**
     * Sends one request and gives an answer of the shape that the library expects.
     *
     * @throws WebdavError for any status that is not success: not 2xx, a multi-status (some part failed) for anything but
     *   PROPFIND, and anything but a multi-status for PROPFIND
     */
    async send(wanted, request) {
        const { http, rootUrl, answerTimeoutMs } = this.#options;
        const { method, headers, body, signal } = request;
        // The library drops a folder's last “/” for the root and for listings, and Apache redirects such an address.
        const isFolder = `${wanted.href}/` === rootUrl.href || (method === 'PROPFIND' && headers['depth'] !== '0');
        const url = isFolder && !wanted.href.endsWith('/') ? new URL(`${wanted.href}/`) : wanted;
        if (url.origin !== rootUrl.origin) {
            throw new errors/* DiatomError */.dL('OWNCLOUD', `A request for ${rootUrl.origin} was about to go to ${url.origin}: stopped.`);
        }
        const response = await http.send({
            method,
            url,
            headers: { ...headers, ...this.#headers },
            body,
            signal,
            ...(isLong(method) ? { answerTimeoutMs } : {}),
        });
        const { status } = response;
        if (!(method === 'PROPFIND' ? status === 207 : status >= 200 && status < 300 && status !== 207)) {
            throw await this.#refusal(response, method, url);
        }
        const text = async () => {
            try {
                return await response.body.text();
            }
            catch (error) {
                throw (0,client/* asNetworkError */.hg)(error, url, signal);
            }
        };
        // Only a GET's body is read by the library in every case; what stays unread would keep its connection.
        const early = method === 'GET' ? undefined : await text();
        return {
            status,
            statusText: '',
            ok: true,
            url: url.href,
            headers: {
                get: (name) => (0,client/* headerOf */.rR)(response, name.toLowerCase()) ?? null,
                forEach: (use) => {
                    for (const name of Object.keys(response.headers))
                        use((0,client/* headerOf */.rR)(response, name) ?? '', name);
                },
            },
            body: response.body,
            text: async () => early ?? (await text()),
            json: async () => JSON.parse(early ?? (await text())),
            arrayBuffer: () => (0,consumers_.arrayBuffer)(early === undefined ? response.body : external_node_stream_.Readable.from([Buffer.from(early)])),
        };
    }
    async #refusal(response, method, url) {
        const { rootUrl, publicLink } = this.#options;
        const { status } = response;
        const text = await beginningOf(response.body);
        const location = status >= 300 && status < 400 ? (0,client/* headerOf */.rR)(response, 'location') : undefined;
        return new webdav_error/* WebdavError */.sw({
            method,
            status,
            host: url.host,
            path: pathBelow(rootUrl, url),
            reason: this.#withoutSecrets(reasonIn(text)),
            redirectsTo: status >= 300 && status < 400 ? redirectTarget(location, url) : undefined,
            offeredSignIn: status === 401 ? signInSchemes(response) : undefined,
            publicLink,
        }, (0,retry/* parseRetryAfter */.mu)((0,client/* headerOf */.rR)(response, 'retry-after')));
    }
    #withoutSecrets(text) {
        return this.#secrets.reduce((cleaned, secret) => cleaned?.replaceAll(secret, '***'), text);
    }
}
/**
 * A client of npm `webdav` whose every request goes through `transport`.
 *
 * The library has one slot for a replacement of its `fetch` in the whole process, and hands it the client's `httpAgent`:
 * there each client keeps its transport. So the function in the slot has no state of its own, and putting it there again
 * for every client changes nothing.
 */
function createWebdavClient(rootUrl, transport) {
    (0,node/* getPatcher */.Gu)().patch('fetch', fetchThroughTransport);
    return (0,node/* createClient */.UU)(rootUrl.href, {
        authType: node/* AuthType */.hT.None,
        httpAgent: transport,
        httpsAgent: transport,
    });
}
async function fetchThroughTransport(address, options) {
    const wanted = new URL(String(address));
    const transport = agentIn(options, wanted);
    if (!(transport instanceof WebdavTransport))
        throw new TypeError('A webdav client without our transport');
    return transport.send(wanted, {
        method: String(webdav_client_field(options, 'method')),
        headers: headersIn(options),
        body: bodyIn(options),
        signal: signalIn(options),
    });
}
function webdav_client_field(value, name) {
    return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
function agentIn(options, url) {
    const agent = webdav_client_field(options, 'agent');
    return typeof agent === 'function' ? Reflect.apply(agent, undefined, [url]) : undefined;
}
function headersIn(options) {
    const entries = Object.entries(webdav_client_field(options, 'headers') ?? {});
    return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
}
function bodyIn(options) {
    const body = webdav_client_field(options, 'body');
    return typeof body === 'string' || body instanceof Uint8Array || isReadable(body) ? body : undefined;
}
function isReadable(value) {
    return typeof webdav_client_field(value, 'pipe') === 'function';
}
function signalIn(options) {
    const signal = webdav_client_field(options, 'signal');
    return signal instanceof AbortSignal ? signal : undefined;
}
function isLong(method) {
    return method === 'PUT' || method === 'MOVE' || method === 'COPY';
}
/** At most 64 KB of an error's body: enough for its message. */
async function beginningOf(body) {
    const chunks = [];
    let size = 0;
    try {
        for await (const chunk of body) {
            chunks.push(Buffer.from(chunk));
            size += chunk.length;
            if (size > 65_536)
                break;
        }
    }
    catch {
        // The status says enough; what broke off here would only have explained it.
    }
    body.destroy();
    return Buffer.concat(chunks).toString('utf8');
}
/** The message in an error of SabreDAV, which ownCloud, Nextcloud and Infinite Scale all speak. */
function reasonIn(text) {
    const message = /<(?:\w+:)?message>([^<]*)<\/(?:\w+:)?message>/.exec(text)?.[1];
    const cleaned = message?.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
    return cleaned ? cleaned.slice(0, 300) : undefined;
}
/** Where a redirect points to: never with its query, which may hold a token of a sign-in. */
function redirectTarget(location, from) {
    const target = location === undefined ? null : URL.parse(location, from.href);
    if (!target)
        return 'another address';
    return target.origin === from.origin ? `${target.origin}${target.pathname}` : target.origin;
}
function signInSchemes(response) {
    const header = response.headers['www-authenticate'];
    const challenges = Array.isArray(header) ? header : header === undefined ? [] : [header];
    return challenges.flatMap((challenge) => [...challenge.matchAll(/(?:^|,)\s*([A-Za-z][\w-]*)(?=\s|$|,)(?!\s*=)/g)].map((match) => String(match[1]).toLowerCase()));
}
function pathBelow(root, url) {
    return (0,remote_path/* decodedPath */.kw)(url.pathname.startsWith(root.pathname) ? url.pathname.slice(root.pathname.length - 1) : url.pathname);
}

;// CONCATENATED MODULE: ./build/owncloud/server-status.js




/**
 * Asks for `status.php`, which ownCloud, Nextcloud and Infinite Scale give to everybody (owncloud/core status.php). Sends
 * no credentials.
 *
 * @returns `undefined` when the address is not one of theirs
 * @throws DiatomError `OWNCLOUD` for a redirect to another server; NetworkError when there is no answer; WebdavError for
 *   an answer that says to come again later
 */
async function readServerStatus(http, base, signal) {
    const url = new URL('status.php', base);
    const response = await http.send({ method: 'GET', url, headers: { accept: 'application/json' }, signal });
    const { status } = response;
    if (status >= 300 && status < 400) {
        await response.body.dump();
        refuseRedirect(redirectTarget((0,client/* headerOf */.rR)(response, 'location'), url), base);
        return undefined;
    }
    if (status !== 200) {
        await response.body.dump();
        const refusal = new webdav_error/* WebdavError */.sw({ method: 'GET', status, host: url.host, path: '/status.php', publicLink: false });
        if (refusal.transient)
            throw refusal;
        return undefined;
    }
    const text = await response.body.text();
    return interpret(text);
}
/** A redirect within the server may be any product's start page; one to another place is where the server now lives. */
function refuseRedirect(target, base) {
    const moved = target.endsWith('/status.php');
    if (!moved && target.startsWith(`${base.origin}/`))
        return;
    throw new errors/* DiatomError */.dL('OWNCLOUD', `The server ${base.host} does not answer itself: ${(0,webdav_error/* adviceForRedirect */.Yt)(target.replace(/status\.php$/, ''))}.`);
}
/**
 * - ownCloud 10: `{"installed":true,"maintenance":false,"versionstring":"10.15.0","productname":"ownCloud","product":"ownCloud", …}`
 * - Nextcloud: the same with `extendedSupport`, and the name of the theme as `productname`
 * - Infinite Scale: the same with `productversion`; `versionstring` is the version of the protocol there
 */
function interpret(text) {
    const status = parseObject(text);
    const version = status?.['versionstring'];
    if (!status || typeof version !== 'string' || typeof status['maintenance'] !== 'boolean')
        return undefined;
    const { maintenance, productversion, productname, product: ownName } = status;
    const name = String(ownName ?? productname ?? '');
    if (productversion !== undefined) {
        return { product: 'infinite-scale', title: `${name || 'Infinite Scale'} ${productversion}`, maintenance };
    }
    const isNextcloud = /nextcloud/i.test(name) || 'extendedSupport' in status;
    const title = `${isNextcloud ? 'Nextcloud' : 'ownCloud'} ${version}`.trim();
    return { product: isNextcloud ? 'nextcloud' : 'owncloud', title, maintenance };
}
function parseObject(text) {
    try {
        const value = JSON.parse(text);
        return typeof value === 'object' && value !== null ? { ...value } : undefined;
    }
    catch {
        return undefined;
    }
}

;// CONCATENATED MODULE: ./build/owncloud/connect.js










/**
 * Finds out what `owncloud-url` points to and signs in there.
 *
 * `status.php` tells an ownCloud, Nextcloud or Infinite Scale; any other address is used as it is when it answers a
 * PROPFIND with a multi-status (OPTIONS is not asked: many servers and proxies answer it without meaning it).
 *
 * @throws DiatomError `INPUT` for settings that can't be right, `OWNCLOUD` when the server refuses or is in maintenance,
 *   `NETWORK` when it can't be reached, `CANCELLED`
 */
async function connect(settings, options) {
    const address = parseOwncloudAddress(settings.url);
    if (address.base.protocol === 'http:' && !isLoopback(address.base)) {
        options.onWarning?.(`owncloud-url begins with http://: the password and the data go to ${address.base.host} unencrypted. Use https:// unless this is a server in your own network.`);
    }
    const status = await patiently(options, () => readServerStatus(options.http, address.base, options.signal));
    if (status?.maintenance) {
        throw new errors/* DiatomError */.dL('OWNCLOUD', `${status.title} at ${address.base.host} is in maintenance: run again later.`);
    }
    switch (address.kind) {
        case 'public-link':
            return connectLink(address, settings, status, options);
        case 'dav':
            return connectDav(address, settings, status, options);
        case 'server':
            return status
                ? connectServer(address.base, settings, status, options)
                : connectWebdav(address.base, settings, options);
    }
}
/** Whether an address is this machine itself, so that nothing goes over a network. URL writes every form of 127.0.0.0/8 so. */
function isLoopback({ hostname }) {
    return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
/** A server of ownCloud's family: the folder of the user's files. */
async function connectServer(base, settings, status, options) {
    const { username } = settings;
    if (username === '') {
        throw new errors/* DiatomError */.dL('INPUT', `owncloud-username is empty: ${status.title} at ${base.host} needs a user name.`);
    }
    // People may sign in with an e-mail address, which is no part of the first address: there the second one helps.
    const home = `remote.php/dav/files/${encodeURIComponent(username)}/`;
    const roots = [new URL(home, base), new URL('remote.php/webdav/', base)];
    let missing;
    for (const root of roots) {
        const session = openSession(root, accountOf(settings), options);
        try {
            const top = await session.top();
            if (!isForeignHome(top, status.product))
                return await signedIn(session, { status, base, settings }, options);
        }
        catch (error) {
            if ((0,webdav_error/* statusOf */.c2)(error) !== 404)
                throw error;
            missing = error;
        }
    }
    throw new errors/* DiatomError */.dL('OWNCLOUD', `${status.title} at ${base.host} has no folder of files for the user “${username}”: check owncloud-username, and try the full WebDAV address that the server shows in its files settings.`, { cause: missing });
}
/** A WebDAV address that a person copied from the settings of ownCloud, Nextcloud or Infinite Scale. */
async function connectDav({ base, root }, settings, status, options) {
    const session = openSession(root, accountOf(settings), options);
    const top = await session.top();
    if (status && isForeignHome(top, status.product)) {
        throw new errors/* DiatomError */.dL('OWNCLOUD', `owncloud-url is the folder of another user than “${settings.username}”: write the server’s address ${base.href} only.`);
    }
    return status
        ? signedIn(session, { status, base, settings }, options)
        : remoteOf(session, { status, base, settings });
}
/** The remote of a user of a server of ownCloud's family. */
async function signedIn(session, facts, options) {
    const { product } = facts.status;
    const chunking = await findChunking({
        product,
        base: facts.base,
        root: session.root,
        ask: async (url) => {
            // Both products refuse these addresses without the first header (OCS-APIRequest), for the sake of browsers.
            const headers = { 'ocs-apirequest': 'true', accept: 'application/json' };
            const { signal } = options;
            return (await session.transport.send(url, { method: 'GET', headers, body: undefined, signal })).text();
        },
        open: (root) => ({ rootUrl: root, product, client: openSession(root, accountOf(facts.settings), options).client }),
        patiently: (attempt) => patiently(options, attempt),
        signal: options.signal,
        onWarning: options.onWarning,
    });
    return remoteOf(session, { ...facts, chunking });
}
async function connectWebdav(root, settings, options) {
    const session = openSession(root, accountOf(settings), options);
    try {
        await session.top();
    }
    catch (error) {
        if (!(error instanceof webdav_error/* WebdavError */.sw) || ![200, 400, 404, 405, 501].includes(error.status))
            throw error;
        throw new errors/* DiatomError */.dL('OWNCLOUD', `At ${root.host}${root.pathname} there is neither an ownCloud or Nextcloud (no status.php) nor a WebDAV folder (status ${error.status}): check owncloud-url; it is the address in the browser when you look at your files.`, { cause: error });
    }
    return remoteOf(session, { status: undefined, base: root, settings });
}
/** A public link: the first of the server's addresses for it that answers. */
async function connectLink({ base, token }, settings, status, options) {
    if (!status) {
        throw new errors/* DiatomError */.dL('OWNCLOUD', `owncloud-url looks like a public link, but there is no ownCloud or Nextcloud at ${base.host}${base.pathname}: check the link.`);
    }
    if (settings.username !== '') {
        options.onWarning?.('owncloud-username is not used: owncloud-url is a public link, only its password counts.');
    }
    let refusal;
    for (const endpoint of linkEndpoints(status.product, base, token)) {
        const session = openSession(endpoint.root, linkAccountOf(endpoint, settings.password), options, true);
        try {
            const access = linkAccess(await session.top());
            if (access)
                return remoteOf(session, { status, base, settings, link: { token, access } });
            refusal = new errors/* DiatomError */.dL('OWNCLOUD', `The public link at ${base.host} does not allow uploads: share the folder anew with permission to upload.`);
            break;
        }
        catch (error) {
            // Nextcloud answers so for a link that only takes uploads (apps/dav/lib/Files/Sharing/FilesDropPlugin.php).
            if ((0,webdav_error/* statusOf */.c2)(error) === 405 && status.product === 'nextcloud') {
                return remoteOf(session, { status, base, settings, link: { token, access: 'upload-only' } });
            }
            // A server that does not know the newer address answers 401 or 404; the older one's answer then says more.
            if (![401, 404].includes((0,webdav_error/* statusOf */.c2)(error) ?? 0))
                throw error;
            if ((0,webdav_error/* statusOf */.c2)(refusal) !== 401)
                refusal = error;
        }
    }
    if ((0,webdav_error/* statusOf */.c2)(refusal) === 404) {
        throw new errors/* DiatomError */.dL('OWNCLOUD', `The public link at ${base.host} does not exist (any more): it was withdrawn, has expired, or is mistyped.`, { cause: refusal });
    }
    throw refusal;
}
function openSession(root, credentials, options, publicLink = false) {
    const { http, signal, answerTimeoutMs = 30 * 60_000 } = options;
    const transport = new WebdavTransport({ http, rootUrl: root, credentials, publicLink, answerTimeoutMs });
    const client = createWebdavClient(root, transport);
    return { root, transport, client, top: () => patiently(options, () => (0,remote_file/* lookUp */.TE)(client, '/', signal)) };
}
function patiently({ policy = retry/* DEFAULT_RETRY_POLICY */.cO, signal }, attempt) {
    return (0,retry/* withRetries */.LH)(attempt, { policy, judge: webdav_error/* judgeWebdav */.$Z, signal });
}
function accountOf({ username, password }) {
    return username === '' && password === '' ? undefined : { username, password };
}
function linkAccountOf({ username, alwaysSignIn }, password) {
    return alwaysSignIn || password !== '' ? { username, password } : undefined;
}
/**
 * ownCloud and Nextcloud show an empty folder, without permissions, in place of the files of anybody but the signed-in
 * user (apps/dav/lib/Files/RootCollection.php in both).
 */
function isForeignHome(top, product) {
    return product !== 'infinite-scale' && top.permissions === undefined;
}
function remoteOf({ root, client }, { status, base, settings, link, chunking }) {
    const server = `${status?.title ?? 'WebDAV server'} at ${base.host}`;
    const uploadOnly = link?.access === 'upload-only' ? 'upload-only ' : '';
    return {
        kind: link ? 'public-link' : (status?.product ?? 'webdav'),
        description: link ? `${uploadOnly}public link of ${server}` : server,
        rootUrl: root,
        client,
        product: status?.product,
        access: link?.access ?? 'full',
        chunking,
        folderPage: (folder) => {
            if (link)
                return new URL(`s/${link.token}`, base).href;
            return status ? pageOf(status.product, base, root, settings.username, (0,remote_path/* folderParts */.RA)(folder)) : undefined;
        },
        fileUrl: (path) => (0,remote_path/* urlBelow */.dX)(root, path).href,
    };
}
/** The page of a folder in the web interface; `undefined` where its address can't be known. */
function pageOf(product, base, root, username, parts) {
    const above = /\/remote\.php\/(?:webdav|dav\/files\/[^/]+)\/(.*)$/.exec(root.pathname)?.[1];
    if (above === undefined)
        return undefined;
    const path = [...(0,remote_path/* decodedPath */.kw)(above).split('/'), ...parts].filter((part) => part !== '');
    if (product !== 'infinite-scale') {
        const page = new URL('index.php/apps/files/', base);
        page.searchParams.set('dir', `/${path.join('/')}`);
        return page.href;
    }
    // The address has the user's name, which is not what one signs in with when that is an e-mail address.
    if (username === '' || username.includes('@'))
        return undefined;
    return (0,remote_path/* urlBelow */.dX)(new URL('files/spaces/personal/', base), [username.toLowerCase(), ...path].join('/')).href;
}


/***/ })

};
