#!/usr/bin/env node

/*
 * Copyright (C) the ngx_live_record authors
 *
 * A fake OSS for tests; with --s3 it speaks S3.
 *
 * Prints one line of JSON when ready: { port, httpsPort, control, ca }.
 */


import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';

import { Store, StoreError, byBytes, exists } from './oss-store.mjs';
import { authorize, malformed } from './oss-auth.mjs';
import { authorizeS3, wrongPayload } from './s3-auth.mjs';


const MAX_PUT = 5 * 1024 ** 3;

const USAGE = `usage: oss-server.mjs --root DIR [options]
    --port N               of http; any free one if 0 (the default)
    --https-port N --ca-dir DIR
                           https too; its CA is made in DIR if not there
    --host ADDR            to listen on, 127.0.0.1
    --key ID:SECRET[:TOKEN]    may come often; "ak:sk" if there is none
    --bucket NAME          may come often; any bucket if there is none
    --region NAME          cn-hangzhou, of S3 us-east-1
    --domain NAME          requests to BUCKET.NAME are virtual host style
    --cname HOST=BUCKET
    --no-path-style        refuse it, as OSS does
    --public-read          GET and HEAD of objects without a signature
    --faults FILE          table of faults, read again when it changes
    --log FILE             a line of JSON for each request
    --discard              keep no bodies and compute no sums
    --crc, --no-crc        compute CRC-64 or not, whatever the above says
    --md5                  compute MD5 all the same
    --keepalive S          of idle connections, 60
    --body-timeout S       between two pieces of a body, 60
    --s3                   of S3: headers, signatures, sums and errors
    --kms BUCKET           may come often: its ETags are no sums
    --nvme BUCKET          may come often: it tells the CRC-64/NVME of what
                           is put at once
    --digits BUCKET        may come often: the ETags of its objects in parts
                           are made of digits, as Garage's were
    --lock BUCKET          may come often: it wants an MD5 with what it is sent
    --sumless BUCKET       may come often: its copies have no CRC-64
    --unconditional BUCKET may come often: it does not heed If-None-Match
    --page N               objects that a listing has at most, 1000
    --verify-client        https asks for a certificate of the same CA
`;

const TYPES = {
    '.m3u8': 'application/vnd.apple.mpegurl', '.ts': 'video/mp2t',
    '.mp4': 'video/mp4', '.flv': 'video/x-flv', '.json': 'application/json',
    '.txt': 'text/plain', '.html': 'text/html'
};

/* what x-oss-* headers of a PUT may say */

const VALUES = {
    'x-oss-storage-class': ['Standard', 'IA', 'Archive', 'ColdArchive',
                            'DeepColdArchive'],
    'x-oss-object-acl': ['default', 'private', 'public-read',
                         'public-read-write'],
    'x-oss-server-side-encryption': ['AES256', 'KMS', 'SM4'],
    'x-oss-server-side-data-encryption': ['SM4'],
    'x-oss-forbid-overwrite': ['true', 'false'],
    'x-oss-metadata-directive': ['COPY', 'REPLACE'],
    'x-oss-tagging-directive': ['Copy', 'Replace']
};

const S3_VALUES = {
    'x-oss-storage-class': ['STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA',
                            'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER',
                            'GLACIER_IR', 'DEEP_ARCHIVE'],
    'x-oss-object-acl': ['private', 'public-read', 'public-read-write',
                         'authenticated-read', 'aws-exec-read',
                         'bucket-owner-read', 'bucket-owner-full-control'],
    'x-oss-server-side-encryption': ['AES256', 'aws:kms'],
    'x-oss-metadata-directive': ['COPY', 'REPLACE'],
    'x-oss-tagging-directive': ['COPY', 'REPLACE']
};

/* what cannot be read until it is restored */

const ARCHIVES = ['Archive', 'ColdArchive', 'DeepColdArchive', 'GLACIER',
                  'DEEP_ARCHIVE'];

/* headers that say what an object should be like; of a copy's, the first
   are those of its source unless they are replaced */

const METADATA = new RegExp('^(x-oss-meta-.+|cache-control|expires'
                            + '|content-(type|encoding|disposition'
                            + '|language))$');
const SETTINGS = /^x-oss-(storage-class|object-acl|server-side-.+|tagging)$/;


const conf = options();
const store = new Store(conf.root, conf);
const log = conf.log ? fs.openSync(conf.log, 'a') : -1;
const sockets = new Set();

const state = {
    keys: conf.keys,
    skew: 0,                  /* ms by which this server's clock is wrong */
    faults: [],
    faultsStat: '',
    connections: 0,
    requests: 0,
    active: 0,
    maxActive: 0
};


function options() {
    const text = { type: 'string' };
    const many = { type: 'string', multiple: true };
    const flag = { type: 'boolean' };
    const { values: v } = parseArgs({ options: {
        'root': text, 'port': text, 'https-port': text, 'ca-dir': text,
        'host': text, 'key': many, 'bucket': many, 'region': text,
        'domain': many, 'cname': many, 'no-path-style': flag,
        'public-read': flag, 'faults': text, 'log': text, 'discard': flag,
        'crc': flag, 'no-crc': flag, 'md5': flag, 'keepalive': text,
        'body-timeout': text, 's3': flag, 'kms': many, 'nvme': many,
        'digits': many, 'sumless': many, 'lock': many,
        'unconditional': many, 'verify-client': flag, 'page': text
    } });

    if (!v.root) {
        process.stderr.write(USAGE);
        process.exit(2);
    }

    return {
        root: path.resolve(v.root),
        port: Number(v.port ?? 0),
        httpsPort: Number(v['https-port'] ?? 0),
        caDir: v['ca-dir'],
        host: v.host ?? '127.0.0.1',
        keys: keys((v.key ?? ['ak:sk']).map(k => {
            const [id, secret, ...token] = k.split(':');

            return { id, secret, token: token.join(':') || undefined };
        })),
        buckets: v.bucket ? new Set(v.bucket) : null,
        s3: v.s3 ?? false,
        kms: new Set(v.kms),
        nvme: new Set(v.nvme),
        digits: new Set(v.digits),
        sumless: new Set(v.sumless),
        lock: new Set(v.lock),
        unconditional: new Set(v.unconditional),
        verifyClient: v['verify-client'] ?? false,
        page: Number(v.page ?? 1000),
        minPart: v.s3 ? 5 * 1024 ** 2 : 100 * 1024,
        region: v.region ?? (v.s3 ? 'us-east-1' : 'cn-hangzhou'),
        domains: ['localhost', ...(v.domain ?? [])],
        cnames: new Map((v.cname ?? []).map(c => c.split('='))),
        pathStyle: !v['no-path-style'],
        publicRead: v['public-read'],
        faults: v.faults,
        log: v.log,
        discard: v.discard ?? false,
        crc: v.crc || !(v.discard || v['no-crc'] || v.s3),
        md5: v.md5 || !v.discard,
        keepalive: Number(v.keepalive ?? 60) * 1000,
        bodyTimeout: Number(v['body-timeout'] ?? 60) * 1000
    };
}


function keys(list) {
    return new Map(list.map(k => [k.id, k]));
}


function main() {
    const servers = [];
    const ready = {};
    const listen = (server, port, host, name) => {
        servers.push(server);

        return new Promise((resolve, reject) => {
            server.on('error', reject);
            server.listen(port, host, () => {
                ready[name] = server.address().port;
                resolve();
            });
        });
    };

    const front = server => {
        server.keepAliveTimeout = conf.keepalive;
        server.requestTimeout = 0;
        server.headersTimeout = 0;

        server.on('request', (req, res) => serve(req, res, false));
        server.on('checkContinue', (req, res) => serve(req, res, true));
        server.on(server instanceof https.Server ? 'secureConnection'
                                                 : 'connection', socket => {
            socket.lrId = ++state.connections;
            sockets.add(socket);
            socket.on('close', () => sockets.delete(socket));
            socket.on('error', () => {});
        });
        server.on('tlsClientError', (err, socket) => {
            write({ tls: true, error: String(err.code ?? err) });
            socket.destroy();
        });

        return server;
    };

    const all = [
        listen(front(http.createServer()), conf.port, conf.host, 'port'),
        listen(http.createServer(control), 0, '127.0.0.1', 'control')
    ];

    if (conf.caDir) {
        const tls = certificates(conf.caDir);

        ready.ca = tls.ca;

        all.push(listen(front(https.createServer({
            cert: fs.readFileSync(tls.cert),
            key: fs.readFileSync(tls.key),
            ca: fs.readFileSync(tls.ca),
            requestCert: conf.verifyClient,
            rejectUnauthorized: conf.verifyClient
        })), conf.httpsPort, conf.host, 'httpsPort'));
    }

    for (const signal of ['SIGTERM', 'SIGINT']) {
        process.on(signal, () => process.exit(0));
    }

    Promise.all(all).then(() => console.log(JSON.stringify(ready)), e => {
        process.stderr.write(`${e.message}\n`);
        process.exit(1);
    });
}


/* a name of one label under "localhost" has to stand there in full */

function certificates(dir) {
    const file = name => path.join(dir, name);
    const tls = { ca: file('ca.pem'), cert: file('server.pem'),
                  key: file('server.key') };
    const names = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1',
                   `DNS:*.oss-${conf.region}.aliyuncs.com`];

    if (fs.existsSync(tls.cert)) {
        return tls;
    }

    for (const domain of conf.domains) {
        for (const bucket of conf.buckets ?? []) {
            names.push(`DNS:${bucket}.${domain}`);
        }
    }

    for (const host of conf.cnames.keys()) {
        names.push(`DNS:${host}`);
    }

    const openssl = (...args) => execFileSync('openssl', args,
                                              { stdio: 'pipe' });
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                '-nodes'];

    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(file('ext'), `subjectAltName=${names.join(',')}\n`);

    openssl('req', '-x509', ...ec, '-keyout', file('ca.key'), '-out', tls.ca,
            '-days', '3650', '-subj', '/CN=fake OSS CA');
    openssl('req', ...ec, '-keyout', tls.key, '-out', file('csr'),
            '-subj', '/CN=fake OSS');
    openssl('x509', '-req', '-in', file('csr'), '-CA', tls.ca, '-CAkey',
            file('ca.key'), '-CAcreateserial', '-days', '3650', '-extfile',
            file('ext'), '-out', tls.cert);

    openssl('req', ...ec, '-keyout', file('client.key'), '-out', file('csr'),
            '-subj', '/CN=recorder');
    openssl('x509', '-req', '-in', file('csr'), '-CA', tls.ca, '-CAkey',
            file('ca.key'), '-CAcreateserial', '-days', '3650',
            '-out', file('client.pem'));

    return tls;
}


/* one request; r is what is known of it, and what the log will say */

async function serve(req, res, expect) {
    const began = process.hrtime.bigint();
    const r = {
        req, res, expect,
        id: crypto.randomBytes(12).toString('hex').toUpperCase(),
        in: 0, out: 0, status: 0, signature: 'none',
        from: req.socket.remoteAddress,
        client: req.socket.getPeerCertificate?.().subject?.CN
    };

    state.requests++;
    state.maxActive = Math.max(state.maxActive, ++state.active);

    res.on('close', () => {
        state.active--;

        write({
            time: new Date().toISOString(),
            ms: Number((process.hrtime.bigint() - began) / 1000000n),
            id: r.id,
            conn: req.socket.lrId,
            tls: Boolean(req.socket.encrypted),
            from: r.from,
            client: r.client,
            method: req.method,
            style: r.style,
            bucket: r.bucket,
            key: r.key,
            query: r.search,
            status: r.status,
            code: r.code,
            in: r.in,
            out: r.out,
            signature: r.signature,
            ok: r.status >= 200 && r.status < 400 && !r.fault?.breaks,
            fault: r.fault?.fault,
            oss: r.oss,
            cache: r.cache
        });
    });

    try {
        address(r);
        r.fault = findFault(r);
        r.now = Date.now() + state.skew
                + (r.fault?.fault === 'skew' ? r.fault.seconds * 1000 : 0);

        if (await early(r)) {
            return;
        }

        if (req.method === 'OPTIONS') {
            answer(r, 200);
            return;
        }

        if (!isPublic(r)) {
            (conf.s3 ? authorizeS3 : authorize)(r, state.keys, conf.region);
        }

        await dispatch(r);

    } catch (e) {
        if (e instanceof StoreError) {
            failure(r, e);

        } else if (e.message !== 'gone') {
            process.stderr.write(`${e.stack}\n`);
            failure(r, new StoreError(500, 'InternalError', e.message));
        }
    }
}


/* who is asked for what */

function address(r) {
    const { req } = r;
    const [raw, ...rest] = req.url.split('?');
    const host = (req.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    const ali = /^([a-z0-9-]+)\.oss-[a-z0-9-]+\.aliyuncs\.com$/.exec(host);
    const domain = conf.domains.find(d => host.endsWith(`.${d}`));
    let name;

    r.search = rest.join('?') || undefined;
    r.params = {};

    for (const pair of rest.join('?').split('&').filter(Boolean)) {
        const [k, ...v] = pair.split('=');

        r.params[decode(k)] = decode(v.join('=')) || null;
    }

    name = decode(raw, true);

    if (conf.cnames.has(host)) {
        r.style = 'cname';
        r.bucket = conf.cnames.get(host);

    } else if (ali || domain) {
        r.style = 'vhost';
        r.bucket = ali ? ali[1] : host.slice(0, -domain.length - 1);

    } else {
        const end = name.indexOf('/', 1);

        r.style = 'path';
        r.bucket = (end === -1 ? name.slice(1) : name.slice(1, end))
                   || undefined;
        name = end === -1 ? '/' : name.slice(end);
    }

    r.key = name.slice(1) || undefined;

    r.headers = {};

    for (const [k, v] of Object.entries(req.headers)) {
        r.headers[k] = Buffer.from(String(v), 'latin1').toString('utf8');
    }

    /* S3's headers have the same names but for this */

    for (const [k, v] of Object.entries(conf.s3 ? r.headers : {})) {
        if (k === 'x-amz-acl') {
            r.headers['x-oss-object-acl'] = v;

        } else if (k.startsWith('x-amz-') || k === 'if-none-match') {
            r.headers[k.replace(/^(x-amz-)?/, 'x-oss-')] = v;
        }
    }

    const oss = Object.entries(r.headers).filter(([k]) => (
        k.startsWith('x-oss-') && !['x-oss-date', 'x-oss-content-sha256',
                                    'x-oss-security-token'].includes(k)));

    r.oss = oss.length ? Object.fromEntries(oss) : undefined;
    r.cache = r.headers['cache-control'];
}


function decode(s, name) {
    try {
        return decodeURIComponent(name ? s : s.replace(/\+/g, ' '));

    } catch {
        throw new StoreError(400, 'InvalidURI', 'Couldn\'t parse the'
                             + ' specified URI.');
    }
}


function isPublic(r) {
    return conf.publicRead && r.headers.authorization === undefined
           && r.key && !r.search && ['GET', 'HEAD'].includes(r.req.method);
}


/* what OSS does */

async function dispatch(r) {
    const { params, req } = r;
    const known = r.bucket && (!conf.buckets || conf.buckets.has(r.bucket));

    if (r.style === 'path' && r.bucket && !conf.pathStyle) {
        throw new StoreError(403, 'SecondLevelDomainForbidden', 'Please use'
                             + ' virtual hosted style to access.');
    }

    if (!r.bucket) {
        throw notAllowed();
    }

    if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(r.bucket)) {
        throw new StoreError(400, 'InvalidBucketName', 'The specified bucket'
                             + ' is not valid.');
    }

    if (!known) {
        throw new StoreError(404, 'NoSuchBucket', 'The specified bucket does'
                             + ' not exist.');
    }

    if (!r.key) {
        if (req.method !== 'GET') {
            throw notAllowed();
        }

        return 'uploads' in params ? listUploads(r) : listObjects(r);
    }

    if (Buffer.byteLength(r.key) > 1023 || /^[/\\]/.test(r.key)) {
        throw new StoreError(400, 'InvalidObjectName', 'The specified object'
                             + ' is not valid.');
    }

    checkSettings(r);

    switch (req.method) {

    case 'PUT':
        if ('partNumber' in params) {
            return putPart(r);
        }

        return r.headers['x-oss-copy-source'] ? copyObject(r) : putObject(r);

    case 'GET':
        return 'uploadId' in params ? listParts(r)
               : 'tagging' in params ? getTagging(r)
               : 'acl' in params ? getAcl(r) : getObject(r);

    case 'HEAD':
        return getObject(r);

    case 'DELETE':
        if ('uploadId' in params) {
            store.abort(params.uploadId ?? '', r.bucket, r.key);

        } else {
            store.remove(r.bucket, r.key);
        }

        return answer(r, 204);

    case 'POST':
        if ('uploads' in params) {
            return initiate(r);
        }

        if ('uploadId' in params) {
            return complete(r);
        }
    }

    throw notAllowed();
}


function notAllowed() {
    return new StoreError(405, 'MethodNotAllowed', 'The specified method is'
                          + ' not allowed against this resource.');
}


async function putObject(r) {
    const exclusive = forbidOverwrite(r);
    const headers = objectHeaders(r);

    if (exclusive && store.head(r.bucket, r.key)) {
        throw exists();
    }

    store.path(r.bucket, r.key);

    const body = await receive(r);
    const meta = store.commit(r.bucket, r.key, body, headers, exclusive);

    answer(r, 200, { ...sums(meta, body.md5), ...nvme(meta) });
}


async function putPart(r) {
    const { uploadId, partNumber } = r.params;
    const n = Number(partNumber);

    if (!/^\d+$/.test(partNumber ?? '') || n < 1 || n > 10000) {
        throw malformed('Part number must be an integer between 1 and 10000,'
                        + ' inclusive.', '0017-00000220');
    }

    store.upload(uploadId ?? '', r.bucket, r.key);

    if (r.headers['x-oss-copy-source']) {
        const from = source(r);
        const range = r.headers['x-oss-copy-source-range'];
        const [start, end] = range ? span(range, from.size) ?? [0, from.size]
                                   : [0, from.size];
        const body = store.receive(true);

        if (conf.sumless.has(r.bucket)) {
            body.crc64 = null;
        }

        store.pour(from.file, body, start, end);

        const part = store.putPart(uploadId, r.bucket, r.key, n, body.end());

        return answer(r, 200, {}, xml('CopyPartResult',
                                      tag('LastModified', part.modified)
                                      + tag('ETag', etag(part))));
    }

    const body = await receive(r);
    const part = store.putPart(uploadId, r.bucket, r.key, n, body);

    return answer(r, 200, sums(part, body.md5));
}


async function copyObject(r) {
    const exclusive = forbidOverwrite(r);
    const headers = objectHeaders(r);
    const from = source(r);
    const replace = r.headers['x-oss-metadata-directive'] === 'REPLACE';
    const retag = /^replace$/i.test(r.headers['x-oss-tagging-directive']);

    if (from.size > MAX_PUT) {
        throw malformed('The specified copy source is larger than the maximum'
                        + ' allowable size for a copy source.');
    }

    /* the rest of the source's does not count */

    const pick = (h, wanted) => Object.fromEntries(
        Object.entries(h).filter(([k]) => wanted(k)));
    const tags = k => k === 'x-oss-tagging';

    const meta = store.copy(from, r.bucket, r.key, {
        ...pick(headers, k => SETTINGS.test(k) && !tags(k)),
        ...pick(replace ? headers : from.headers, k => METADATA.test(k)),
        ...pick(retag ? headers : from.headers, tags)
    }, exclusive, conf.sumless.has(r.bucket));

    answer(r, 200, sums(meta), xml('CopyObjectResult',
           tag('LastModified', new Date(r.now).toISOString())
           + tag('ETag', etag(meta))));
}


function source(r) {
    const m = /^\/?([^/]+)\/(.+)$/.exec(
                  decode(r.headers['x-oss-copy-source'], true));
    const from = m && store.head(m[1], m[2]);

    if (!from) {
        throw noSuchKey();
    }

    readable(from);

    return from;
}


function storageClass(o) {
    return o.headers['x-oss-storage-class']
           ?? (conf.s3 ? 'STANDARD' : 'Standard');
}


function readable(o) {
    if (ARCHIVES.includes(o.headers['x-oss-storage-class'])) {
        throw new StoreError(403, 'InvalidObjectState', 'The operation is not'
                             + ' valid for the object\'s state.');
    }
}


async function initiate(r) {
    const headers = objectHeaders(r);

    if (forbidOverwrite(r) && store.head(r.bucket, r.key)) {
        throw exists();
    }

    answer(r, 200, {}, xml('InitiateMultipartUploadResult',
           tag('Bucket', r.bucket) + tag('Key', r.key)
           + tag('UploadId', store.initiate(r.bucket, r.key, headers))));
}


async function complete(r) {
    const { uploadId } = r.params;
    const exclusive = forbidOverwrite(r);
    const chunks = [];
    let wanted = null;

    await read(r, chunk => chunks.push(chunk));

    const text = Buffer.concat(chunks).toString();

    if (r.headers['x-oss-complete-all'] !== 'yes' || text !== '') {
        wanted = [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, p]) => ({
            number: Number(/<PartNumber>\s*(\d+)\s*</.exec(p)?.[1]),
            etag: /<ETag>\s*(?:"|&quot;)?([0-9A-Fa-f]+)/.exec(p)?.[1] ?? ''
        }));
    }

    const meta = store.complete(uploadId ?? '', r.bucket, r.key, wanted,
                                exclusive, objectHeaders(r),
                                conf.digits.has(r.bucket));

    answer(r, 200, sums(meta), xml('CompleteMultipartUploadResult',
           tag('Location', `http://${r.headers.host}/${r.key}`)
           + tag('Bucket', r.bucket) + tag('Key', r.key)
           + tag('ETag', etag(meta))));
}


async function getObject(r) {
    const o = store.head(r.bucket, r.key);

    /* what was discarded can be asked about, not read */

    if (!o || (conf.discard && r.req.method === 'GET')) {
        throw noSuchKey();
    }

    if (r.req.method === 'GET') {
        readable(o);
    }

    const tags = Object.keys(parseTags(o.headers['x-oss-tagging'])).length;
    const headers = {
        ...Object.fromEntries(Object.entries(o.headers).filter(([k]) => (
            k !== 'x-oss-object-acl' && k !== 'x-oss-tagging'))),
        'x-oss-tagging-count': tags || undefined,
        'Content-Type': o.headers['content-type']
                        ?? TYPES[path.extname(r.key)]
                        ?? 'application/octet-stream',
        ...sums(o),
        ...(r.headers['x-oss-checksum-mode'] === 'ENABLED' ? nvme(o) : {}),
        'Last-Modified': new Date(o.mtime).toUTCString(),
        'Accept-Ranges': 'bytes',
        'x-oss-object-type': conf.s3 ? undefined : 'Normal',
        'x-oss-storage-class': storageClass(o)
    };
    const range = r.headers.range ? span(r.headers.range, o.size) : null;
    const [start, end] = range ?? [0, o.size];

    if (conf.s3 && r.headers.range && !range) {
        throw new StoreError(416, 'InvalidRange', 'The requested range is not'
                             + ' satisfiable');
    }

    delete headers['content-type'];

    if (range) {
        headers['Content-Range'] = `bytes ${start}-${end - 1}/${o.size}`;
    }

    const slow = r.fault?.fault === 'slow' ? r.fault.rate : 0;

    await answerFile(r, range ? 206 : 200, headers, o.file, start, end, slow);
}


function getTagging(r) {
    const o = store.head(r.bucket, r.key);

    if (!o) {
        throw noSuchKey();
    }

    answer(r, 200, {}, xml('Tagging', tag('TagSet',
        Object.entries(parseTags(o.headers['x-oss-tagging']))
        .map(([k, v]) => tag('Tag', tag('Key', k) + tag('Value', v), true))
        .join(''), true)));
}


function getAcl(r) {
    const o = store.head(r.bucket, r.key);

    if (!o) {
        throw noSuchKey();
    }

    const acl = o.headers['x-oss-object-acl'];
    const owner = tag('Owner', tag('ID', 'owner')
                               + tag('DisplayName', 'owner'), true);
    const all = '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema'
                + '-instance" xsi:type="Group"><URI>http://acs.amazonaws.com/'
                + 'groups/global/AllUsers</URI></Grantee>'
                + '<Permission>READ</Permission></Grant>';
    const grants = conf.s3 ? acl === 'public-read' ? all : ''
                           : tag('Grant', acl ?? 'default');

    answer(r, 200, {}, xml('AccessControlPolicy',
                           owner + tag('AccessControlList', grants, true)));
}


function parseTags(text) {
    return Object.fromEntries((text ?? '').split('&').filter(Boolean)
        .map(pair => pair.split('=').map(s => decode(s))));
}


/*
 * [start, end) of a range, or null: OSS then sends the whole object, and S3
 * what has no such byte refuses
 */

function span(text, size) {
    const m = /^bytes=(\d*)-(\d*)$/.exec(text);

    if (!m || (m[1] === '' && m[2] === '')) {
        return null;
    }

    const start = m[1] === '' ? Math.max(0, size - Number(m[2]))
                              : Number(m[1]);
    const end = m[1] === '' || m[2] === '' ? size
                : Math.min(size, Number(m[2]) + 1);

    return start < end ? [start, end] : null;
}


function noSuchKey() {
    return new StoreError(404, 'NoSuchKey', 'The specified key does not'
                          + ' exist.');
}


function listObjects(r) {
    const p = r.params;
    const v2 = p['list-type'] === '2';
    const prefix = p.prefix ?? '';
    const delimiter = p.delimiter ?? '';
    const max = Math.min(conf.page, limit(p['max-keys'],
                                          conf.s3 ? 1000 : 100, 'max-keys'));
    const token = p['continuation-token'];
    const after = v2 ? token ? afterToken(token) : p['start-after'] ?? ''
                     : p.marker ?? '';
    const enc = encoder(p);
    const groups = new Set();
    let objects = '';
    let n = 0;
    let last = '';
    let more = false;

    for (const key of store.keys(r.bucket, prefix)) {
        const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
        const name = cut === -1 ? key : key.slice(0, cut + delimiter.length);

        if (byBytes(name, after) <= 0 || groups.has(name)) {
            continue;
        }

        if (n === max) {
            more = true;
            break;
        }

        n++;
        last = name;

        if (cut !== -1) {
            groups.add(name);
            continue;
        }

        const o = store.head(r.bucket, key);

        objects += tag('Contents', tag('Key', enc(key))
                       + tag('LastModified', new Date(o.mtime).toISOString())
                       + tag('ETag', etag(o)) + tag('Type', 'Normal')
                       + tag('Size', o.size)
                       + tag('StorageClass', storageClass(o)),
                       true);
    }

    const next = r.fault?.fault === 'same-token' ? token : nextToken(last);

    /* S3 does not encode its token with the names */

    answer(r, 200, {}, xml('ListBucketResult',
        tag('Name', r.bucket) + tag('Prefix', enc(prefix))
        + tag('MaxKeys', max) + tag('Delimiter', enc(delimiter))
        + (p['encoding-type'] ? tag('EncodingType', 'url') : '')
        + tag('IsTruncated', more)
        + (v2 ? tag('StartAfter', enc(p['start-after'] ?? ''))
                + tag('KeyCount', n)
                + (more ? tag('NextContinuationToken',
                              conf.s3 ? next : enc(next)) : '')
              : tag('Marker', enc(after))
                + (more ? tag('NextMarker', enc(last)) : ''))
        + objects
        + [...groups].map(g => tag('CommonPrefixes', tag('Prefix', enc(g)),
                                   true)).join('')));
}


/* with all that has a meaning in a query */

function nextToken(name) {
    return `1+/${Buffer.from(name).toString('base64')}=`;
}


function afterToken(token) {
    const name = Buffer.from(token.slice(3, -1), 'base64').toString();

    if (token !== nextToken(name)) {
        throw new StoreError(400, 'InvalidArgument', 'The continuation token'
                             + ' provided is incorrect');
    }

    return name;
}


function listUploads(r) {
    const p = r.params;
    const max = limit(p['max-uploads'], 1000, 'max-uploads');
    const marker = p['key-marker'] ?? '';
    const idMarker = p['upload-id-marker'] ?? '';
    const enc = encoder(p);
    const all = store.uploads(r.bucket).filter(up => {
        const c = byBytes(up.key, marker);

        return up.key.startsWith(p.prefix ?? '')
               && (marker === '' || c > 0
                   || (c === 0 && idMarker !== '' && up.id > idMarker));
    });
    const page = all.slice(0, max);
    const last = page.at(-1);
    const more = all.length > page.length;

    answer(r, 200, {}, xml('ListMultipartUploadsResult',
        tag('Bucket', r.bucket) + tag('KeyMarker', enc(marker))
        + tag('UploadIdMarker', idMarker) + tag('MaxUploads', max)
        + (p['encoding-type'] ? tag('EncodingType', 'url') : '')
        + tag('IsTruncated', more)
        + (more ? tag('NextKeyMarker', enc(last.key))
                  + tag('NextUploadIdMarker', last.id) : '')
        + page.map(up => tag('Upload', tag('Key', enc(up.key))
                             + tag('UploadId', up.id)
                             + tag('StorageClass', 'Standard')
                             + tag('Initiated', up.initiated), true))
          .join('')));
}


function listParts(r) {
    const p = r.params;
    const up = store.upload(p.uploadId ?? '', r.bucket, r.key);
    const max = limit(p['max-parts'], 1000, 'max-parts');
    const marker = Number(p['part-number-marker'] ?? 0);
    const all = Object.keys(up.parts).map(Number).filter(n => n > marker)
                .sort((a, b) => a - b);
    const page = all.slice(0, max);

    answer(r, 200, {}, xml('ListPartsResult',
        tag('Bucket', r.bucket) + tag('Key', encoder(p)(r.key))
        + tag('UploadId', up.id) + tag('PartNumberMarker', marker)
        + tag('NextPartNumberMarker', page.at(-1) ?? 0)
        + tag('MaxParts', max)
        + tag('IsTruncated', all.length > page.length)
        + page.map(n => tag('Part', tag('PartNumber', n)
                            + tag('LastModified', up.parts[n].modified)
                            + tag('ETag', etag(up.parts[n]))
                            + tag('HashCrc64ecma', up.parts[n].crc ?? '')
                            + tag('Size', up.parts[n].size), true))
          .join('')));
}


function limit(text, byDefault, name) {
    const n = Number(text ?? byDefault);

    if (!Number.isInteger(n) || n < 1 || n > 1000) {
        throw malformed(`Argument ${name} must be an integer between 1 and`
                        + ' 1000.');
    }

    return n;
}


function encoder(params) {
    return params['encoding-type'] === 'url'
           ? s => encodeURIComponent(s).replace(/%20/g, '+') : s => s;
}


function forbidOverwrite(r) {
    const condition = r.headers['x-oss-if-none-match'];

    if (!conf.s3) {
        return r.headers['x-oss-forbid-overwrite'] === 'true';
    }

    if (condition === undefined || conf.unconditional.has(r.bucket)) {
        return false;
    }

    /* S3 knows it of a PUT and of the end of an upload */

    if (condition !== '*' || 'uploads' in r.params
        || r.headers['x-oss-copy-source'])
    {
        throw new StoreError(501, 'NotImplemented', 'A header you provided'
                             + ' implies functionality that is not'
                             + ' implemented.');
    }

    return true;
}


/* what of a request stays with its object */

function objectHeaders(r) {
    return Object.fromEntries(Object.entries(r.headers).filter(([k]) => (
        METADATA.test(k) || SETTINGS.test(k))));
}


/* what an object should be like is said where it comes into being */

function checkSettings(r) {
    const { headers, params } = r;
    const values = conf.s3 ? S3_VALUES : VALUES;
    const tags = headers['x-oss-tagging'];
    const copy = headers['x-oss-copy-source'] && !('partNumber' in params);
    const make = r.req.method === 'PUT' && !('partNumber' in params);
    const initiate = r.req.method === 'POST' && 'uploads' in params;
    const complete = r.req.method === 'POST' && 'uploadId' in params;

    for (const [k, v] of Object.entries(headers)) {
        const known = /^x-oss-(metadata|tagging)-directive$/.test(k) ? copy
            : k === 'x-oss-object-acl' ? make || (conf.s3 ? initiate
                                                          : complete)
            : SETTINGS.test(k) || k.startsWith('x-oss-meta-')
              ? make || initiate : true;

        if (!known) {
            throw malformed(`${k} has no meaning for this request.`);
        }

        if (values[k] && !values[k].includes(v)) {
            throw k === 'x-oss-storage-class' && conf.s3
                ? new StoreError(400, 'InvalidStorageClass', 'The storage'
                                 + ' class you specified is not valid')
                : malformed(`The value of ${k} is not valid.`);
        }

        if (/-key-id$/.test(k)
            && !/kms$/i.test(headers['x-oss-server-side-encryption']))
        {
            throw malformed('Only KMS has keys.');
        }
    }

    if (tags === undefined) {
        return;
    }

    const all = Object.entries(parseTags(tags));

    if (all.length !== tags.split('&').length || all.length > 10
        || all.some(([k, v]) => !/^[\w +\-=.:/@]{1,128}$/.test(k)
                                || !/^[\w +\-=.:/@]{0,256}$/.test(v)))
    {
        throw new StoreError(400, 'InvalidTag', 'The tag you provided is'
                             + ' invalid.');
    }
}


/* the body of an upload, checked */

async function receive(r) {
    const { headers } = r;
    const given = headers['content-md5'];
    const length = headers['content-length'];
    const digest = given && Buffer.from(given, 'base64');

    if (length === undefined && headers['transfer-encoding'] === undefined) {
        throw new StoreError(411, 'MissingContentLength', 'You must provide'
                             + ' the Content-Length HTTP header.');
    }

    if (Number(length ?? 0) > MAX_PUT) {
        throw malformed('The body is larger than 5 GB.');
    }

    if (!given && conf.lock.has(r.bucket)) {
        throw new StoreError(400, 'InvalidRequest', 'Content-MD5 OR'
                             + ' x-amz-checksum- HTTP header is required for'
                             + ' Put Object requests with Object Lock'
                             + ' parameters');
    }

    if (digest && digest.length !== 16) {
        throw invalidDigest();
    }

    const body = store.receive(Boolean(digest), conf.nvme.has(r.bucket)
                               && !('partNumber' in r.params));

    try {
        await read(r, chunk => body.write(chunk));

    } catch (e) {
        body.abort();
        throw e;
    }

    body.end();

    if (digest && !digest.equals(body.md5)) {
        body.abort();
        throw invalidDigest();
    }

    if (conf.kms.has(r.bucket)) {
        body.md5 = crypto.createHash('md5').update(body.md5).digest();
    }

    return body;
}


function invalidDigest() {
    return new StoreError(400, 'InvalidDigest', 'The Content-MD5 you'
                          + ' specified was invalid.');
}


/* faults in the way of a body are found here */

function read(r, sink) {
    const { req, res, fault } = r;
    const reset = fault?.fault === 'reset-after-bytes' ? fault.bytes : -1;
    const rate = fault?.fault === 'slow' ? fault.rate : 0;
    const hash = r.payload ? crypto.createHash('sha256') : null;

    if (r.expect) {
        res.writeContinue();
        r.expect = false;
    }

    return new Promise((resolve, reject) => {
        let timer;
        const wait = () => {
            clearTimeout(timer);
            timer = setTimeout(() => {
                res.shouldKeepAlive = false;
                reject(new StoreError(400, 'RequestTimeout', 'Your socket'
                    + ' connection to the server was not read from or written'
                    + ' to within the timeout period.'));
            }, conf.bodyTimeout);
        };

        wait();

        req.on('data', chunk => {
            r.in += chunk.length;

            if (reset !== -1 && r.in >= reset) {
                clearTimeout(timer);
                kill(r);
                reject(new Error('gone'));
                return;
            }

            wait();

            try {
                hash?.update(chunk);
                sink(chunk);

            } catch (e) {
                clearTimeout(timer);
                reject(e);
                return;
            }

            if (rate) {
                req.pause();
                setTimeout(() => req.resume(), chunk.length / rate * 1000);
            }
        });

        req.on('end', () => {
            clearTimeout(timer);

            if (hash && hash.digest('hex') !== r.payload) {
                reject(wrongPayload());
                return;
            }

            resolve();
        });

        /* a short body: nobody is there any more to be told */

        req.on('close', () => {
            clearTimeout(timer);

            if (!req.complete) {
                r.status = 400;
                r.code = 'RequestTimeout';
                reject(new Error('gone'));
            }
        });
    });
}


function kill(r) {
    const { socket } = r.req;

    if (r.fault) {
        r.fault = { ...r.fault, breaks: true };
    }

    /* a TLS socket has no reset of its own */

    if (typeof socket.resetAndDestroy === 'function' && !socket.encrypted) {
        socket.resetAndDestroy();

    } else {
        socket.destroy();
    }
}


/* faults: the table */

function findFault(r) {
    loadFaults();

    for (const f of state.faults) {

        if ((f.method && f.method !== r.req.method)
            || (f.bucket && f.bucket !== r.bucket)
            || (f.key && !new RegExp(f.key).test(r.key ?? ''))
            || (f.query && !new RegExp(f.query).test(r.search ?? ''))
            || (f.header && r.headers?.[f.header] === undefined)
            || (f.noheader && r.headers?.[f.noheader] !== undefined))
        {
            continue;
        }

        const nth = f.nth ?? 1;
        const times = f.times ?? 1;

        f.seen = (f.seen ?? 0) + 1;

        if (f.seen >= nth && (times === 0 || f.seen < nth + times)) {
            return f;
        }
    }

    return null;
}


function loadFaults() {
    if (!conf.faults) {
        return;
    }

    const st = fs.statSync(conf.faults, { throwIfNoEntry: false });
    const seen = st ? `${st.ino} ${st.mtimeMs} ${st.size}` : '';

    if (seen === state.faultsStat) {
        return;
    }

    state.faultsStat = seen;

    try {
        setFaults(st ? JSON.parse(fs.readFileSync(conf.faults, 'utf8')
                                  || '[]')
                     : []);

    } catch (e) {
        process.stderr.write(`${conf.faults}: ${e.message}\n`);
    }
}


function setFaults(list) {
    const known = ['status', 'reset-after-bytes', 'stall', 'stall-answer',
                   'wrong-crc', 'lost-reply', 'half-reply', 'skew',
                   '200-error-body', '203', 'slow', 'abort-upload', 'late',
                   'crowded', 'close', 'same-token', 'stranger',
                   'no-length', 'zero-length', 'folded'];

    for (const f of list) {
        if (!known.includes(f.fault)) {
            throw new Error(`unknown fault "${f.fault}"`);
        }

        new RegExp(f.key ?? '');
        new RegExp(f.query ?? '');
    }

    state.faults = list;
}


/* faults that come before anything is done; true if that was all */

async function early(r) {
    const { fault } = r;

    switch (fault?.fault) {

    case 'stall':
        r.req.pause();
        return true;

    case 'reset-after-bytes':
        if (!fault.bytes) {
            kill(r);
            return true;
        }

        return false;

    /* as a rule of the bucket, or somebody else, may do at any time */

    case 'abort-upload':
        if (store.has(r.params.uploadId ?? '')) {
            store.abort(r.params.uploadId, r.bucket, r.key);
        }

        return false;

    case 'close':
        r.res.shouldKeepAlive = false;
        return false;

    /* a store that is far away */

    case 'late':
        await new Promise(resolve => { setTimeout(resolve, fault.ms); });
        return false;

    /* and one that takes only so many requests at a time */

    case 'crowded':
        fault.active = (fault.active ?? 0) + 1;
        r.res.on('close', () => { fault.active--; });

        if (fault.active > fault.most) {
            await read(r, () => {});
            failure(r, new StoreError(503, 'SlowDown', 'Please reduce your'
                                      + ' request rate.'));
            return true;
        }

        await new Promise(resolve => { setTimeout(resolve, fault.ms); });
        return false;

    case 'status':
        if (!fault.early && !r.expect) {
            await read(r, () => {});
        }

        failure(r, Object.assign(
            new StoreError(fault.status ?? 503,
                           fault.code ?? 'ServiceUnavailable',
                           fault.message ?? 'A fault of the test.',
                           fault.ec), { more: fault.more }));
        return true;
    }

    return false;
}


/* answers */

function failure(r, e) {
    if (conf.s3 && e.code === 'FileAlreadyExists') {
        e = new StoreError(412, 'PreconditionFailed', 'At least one of the'
                           + ' pre-conditions you specified did not hold');
    }

    if (r.res.headersSent || r.req.socket.destroyed) {
        return;
    }

    const body = r.fault?.bare ? '' : xml('Error', tag('Code', e.code) + tag('Message', e.message)
                     + tag('RequestId', r.id)
                     + tag('HostId', r.req.headers.host ?? '')
                     + Object.entries(e.more ?? {})
                       .filter(([, v]) => v !== undefined)
                       .map(([k, v]) => tag(k, v)).join('')
                     + (e.ec ? tag('EC', e.ec) : ''));
    const headers = {};

    r.code = e.code;
    r.now ??= Date.now() + state.skew;

    if (e.ec) {
        headers['x-oss-ec'] = e.ec;
    }

    if (r.req.method === 'HEAD' && !conf.s3) {
        headers['x-oss-err'] = Buffer.from(body).toString('base64');
    }

    if (r.fault?.location) {
        headers.Location = r.fault.location;
    }

    if (r.fault?.retryAfter) {
        headers['Retry-After'] = r.fault.retryAfter;
    }

    /* the body that was not asked for may come or not */

    if (r.expect) {
        r.res.shouldKeepAlive = false;
    }

    send(r, e.status, headers, body);
}


function answer(r, status, headers = {}, body = '') {
    const { fault } = r;

    switch (fault?.fault) {

    case 'stall-answer':
        return;

    case 'lost-reply':
        kill(r);
        return;

    case '203':
        failure(r, new StoreError(203, 'CallbackFailed', 'Error status : 502.',
                                  undefined));
        return;

    case '200-error-body':
        failure(r, new StoreError(200, fault.code ?? 'InternalError',
                                  'A fault of the test.'));
        return;

    case 'half-reply': {
        const { socket } = r.req;

        r.fault = { ...fault, breaks: true };
        r.status = status;
        socket.end(`HTTP/1.1 ${status} OK\r\nServer: AliyunOSS\r\n`
                   + (body ? `Content-Length: ${Buffer.byteLength(body)}`
                             + `\r\n\r\n${body.slice(0, body.length / 2)}`
                           : 'Content-Le'));
        return;
    }

    case 'wrong-crc':
        spoil(headers);
    }

    send(r, status, headers, body);
}


function spoil(headers) {
    const crc = headers['x-oss-hash-crc64ecma'];

    if (crc !== undefined) {
        headers['x-oss-hash-crc64ecma'] = String(BigInt(crc) ^ 1n);
    }

    const sum = headers['x-oss-checksum-crc64nvme'];

    if (sum !== undefined) {
        headers['x-oss-checksum-crc64nvme'] =
            sum.replace(/^./, c => (c === 'A' ? 'B' : 'A'));
        return;
    }

    if (conf.s3 && headers.ETag) {
        headers.ETag = headers.ETag.replace(/^"./, c => (
            c === '"0' ? '"1' : '"0'));
    }
}


function send(r, status, headers, body) {
    const { res } = r;
    const data = Buffer.from(body);

    /* what nobody has read must not stand in the way of the next request */

    r.req.resume();

    head(r, status, headers,
         status === 204 || status === 304 ? undefined : data.length,
         data.length ? 'application/xml' : undefined);

    if (r.req.method === 'HEAD') {
        res.end();

    } else {
        r.out = data.length;
        res.end(data);
    }
}


function head(r, status, headers, length, type) {
    const { res } = r;

    r.status = status;

    res.sendDate = false;
    res.setHeader('Server', conf.s3 ? 'AmazonS3' : 'AliyunOSS');
    res.setHeader('Date', r.fault?.date ?? new Date(r.now).toUTCString());
    res.setHeader(conf.s3 ? 'x-amz-request-id' : 'x-oss-request-id', r.id);

    if (!conf.s3) {
        res.setHeader('x-oss-server-time', '1');

    } else if (headers.ETag && conf.kms.has(r.bucket)) {
        res.setHeader('x-amz-server-side-encryption', 'aws:kms');
    }

    if (r.req.headers.origin) {
        res.setHeader('Access-Control-Allow-Origin', '*');
        res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD');
        res.setHeader('Access-Control-Allow-Headers', '*');
        res.setHeader('Access-Control-Expose-Headers',
                      'ETag, Content-Range, Content-Length,'
                      + ' x-oss-request-id, x-oss-hash-crc64ecma');
    }

    if (type) {
        res.setHeader('Content-Type', type);
    }

    for (const [k, v] of Object.entries(headers)) {
        if (v !== undefined) {
            res.setHeader(conf.s3 ? k.replace(/^x-oss-/, 'x-amz-') : k,
                          Buffer.from(String(v)).toString('latin1'));
        }
    }

    if (length !== undefined) {
        res.setHeader('Content-Length', length);
    }

    res.writeHead(status);
}


async function answerFile(r, status, headers, file, start, end, rate) {
    const { res } = r;

    if (r.req.method === 'HEAD' || !file || start === end) {
        if (['stall-answer', 'lost-reply', 'half-reply', 'wrong-crc']
            .includes(r.fault?.fault))
        {
            answer(r, status, headers);
            return;
        }

        switch (r.fault?.fault) {

        /* the first line of the headers goes on with one that is not there */

        case 'folded':
            r.status = status;
            r.fault = { ...r.fault, breaks: true };
            r.req.socket.end('HTTP/1.1 200 OK\r\n fold: ed\r\n\r\n');
            return;

        /* a page of somebody on the way, who answers all there is */

        case 'stranger':
            r.status = 200;
            res.writeHead(200, { 'Content-Type': 'text/html',
                                 'Content-Length': 512 });
            break;

        /* gateways that make a length of the body, which a HEAD has none of */

        case 'no-length':
            head(r, status, headers);
            break;

        case 'zero-length':
            head(r, status, headers, 0);
            break;

        default:
            head(r, status, headers, end - start);
        }

        res.end();
        return;
    }

    switch (r.fault?.fault) {

    case 'half-reply':
        r.fault = { ...r.fault, breaks: true };
        end = start + Math.floor((end - start) / 2);
        head(r, status, headers, 2 * (end - start) + 1);
        break;

    case 'stall-answer':
    case 'lost-reply':
    case '203':
    case '200-error-body':
        answer(r, status, headers);
        return;

    case 'wrong-crc':
        spoil(headers);
        head(r, status, headers, end - start);
        break;

    default:
        head(r, status, headers, end - start);
    }

    const fd = fs.openSync(file, 'r');
    const step = rate ? Math.max(1, Math.ceil(rate / 10)) : 1 << 18;

    try {
        while (start < end && !res.destroyed) {
            const buf = Buffer.allocUnsafe(Math.min(step, end - start));
            const n = fs.readSync(fd, buf, 0, buf.length, start);

            start += n;
            r.out += n;

            if (!res.write(buf.subarray(0, n)) && !res.destroyed) {
                await room(res);
            }

            if (rate) {
                await new Promise(resolve => setTimeout(resolve, 100));
            }
        }

    } finally {
        fs.closeSync(fd);
    }

    if (r.fault?.breaks) {
        r.req.socket.end();
        return;
    }

    res.end();
}


/* until there is room for more, or nobody to take it */

function room(res) {
    return new Promise(resolve => {
        const done = () => {
            res.off('drain', done);
            res.off('close', done);
            resolve();
        };

        res.on('drain', done);
        res.on('close', done);
    });
}


function sums(meta, md5) {
    return conf.s3 ? { 'ETag': etag(meta) } : {
        'ETag': etag(meta),
        'x-oss-hash-crc64ecma': meta.crc,
        'Content-MD5': md5 ? md5.toString('base64') : undefined
    };
}


function nvme(meta) {
    if (meta.nvme === undefined) {
        return {};
    }

    const buf = Buffer.alloc(8);

    buf.writeBigUInt64BE(BigInt(meta.nvme));

    return { 'x-oss-checksum-crc64nvme': buf.toString('base64'),
             'x-oss-checksum-type': 'FULL_OBJECT' };
}


function etag(meta) {
    return `"${conf.s3 ? meta.etag.toLowerCase() : meta.etag}"`;
}


function xml(name, inner) {
    return '<?xml version="1.0" encoding="UTF-8"?>\n'
           + tag(name, inner, true) + '\n';
}


function tag(name, value, nested = false) {
    const text = nested ? value
                        : String(value).replace(/[&<>]/g, c => (
                              { '&': '&amp;', '<': '&lt;', '>': '&gt;' }[c]));

    return `<${name}>${text}</${name}>`;
}


function write(entry) {
    if (log !== -1) {
        fs.writeSync(log, `${JSON.stringify(entry)}\n`);
    }
}


/*
 * The control port: GET /stats; GET or PUT /faults, POST to add; PUT /keys
 * [{ id, secret, token, expired, expires }], the last one in ms since 1970,
 * POST to add, or without a secret to remove; PUT /skew seconds; POST /drop closes all connections.
 */

async function control(req, res) {
    const chunks = [];

    for await (const chunk of req) {
        chunks.push(chunk);
    }

    try {
        const text = Buffer.concat(chunks).toString();
        const value = text ? JSON.parse(text) : undefined;
        let reply = {};

        switch (`${req.method} ${req.url}`) {

        case 'GET /stats': {
            const { connections, requests, active, maxActive } = state;

            reply = { connections, requests, active, maxActive,
                      open: sockets.size };
            break;
        }

        case 'GET /faults':
            reply = state.faults;
            break;

        case 'PUT /faults':
            setFaults(value);
            break;

        case 'POST /faults':
            setFaults([...state.faults, ...[value].flat()]);
            break;

        case 'PUT /keys':
            state.keys = keys(value);
            break;

        case 'POST /keys':
            for (const k of [value].flat()) {
                state.keys.delete(k.id);

                if (k.secret) {
                    state.keys.set(k.id, k);
                }
            }

            break;

        case 'PUT /skew':
            state.skew = value * 1000;
            break;

        case 'POST /drop':
            sockets.forEach(s => s.destroy());
            break;

        default:
            res.writeHead(404).end();
            return;
        }

        res.end(`${JSON.stringify(reply)}\n`);

    } catch (e) {
        res.writeHead(400).end(`${e.message}\n`);
    }
}


main();
