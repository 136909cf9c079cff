
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Drives the fake OSS with Alibaba's own client.  Called with what the
 * server printed and the path of its log; prints "ok - name" or
 * "not ok - name: reason" for each check.
 */


import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';

import { Crc64, combine } from './crc64.mjs';


const require = createRequire(import.meta.url);
const OSS = require('ali-oss');
const { createRequest } = require('ali-oss/lib/common/utils/createRequest');

const server = JSON.parse(process.argv[2]);
const logFile = process.argv[3];
const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'oss-client-'));

/* every name is this machine's */

const lookup = (name, options, callback) => (
    options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }])
                : callback(null, '127.0.0.1', 4)
);
const agent = new http.Agent({ lookup, keepAlive: true });
const httpsAgent = new https.Agent({ lookup, keepAlive: true,
                                     ca: fs.readFileSync(server.ca) });

/* to an IP address the client sends BUCKET.REGION.aliyuncs.com as Host */

const STYLES = {
    'virtual host': { endpoint: `http://localhost:${server.port}` },
    'IP address': { endpoint: `http://127.0.0.1:${server.port}` },
    'path style': { endpoint: `http://localhost:${server.port}`,
                    sldEnable: true },
    'cname': { endpoint: `http://media.example.com:${server.port}`,
               cname: true },
    'https': { endpoint: `https://localhost:${server.httpsPort}`,
               secure: true }
};


function client(v4, more = {}) {
    return new OSS({
        region: 'oss-cn-hangzhou', accessKeyId: 'ak', accessKeySecret: 'sk',
        bucket: 'bucket', authorizationV4: v4, agent, httpsAgent,
        ...STYLES['virtual host'], ...more
    });
}


async function check(name, fn) {
    try {
        await fn();
        console.log(`ok - ${name}`);

    } catch (e) {
        const text = String(e.stack ?? e).split('\n').slice(0, 4);

        console.log(`not ok - ${name}: ${text.join(' | ')}`);
    }
}


function refused(promise, code, status) {
    return assert.rejects(promise, e => {
        assert.equal(e.code, code);
        assert.equal(e.status, status);
        return true;
    });
}


function control(method, url, value) {
    return new Promise((resolve, reject) => {
        const req = http.request({ port: server.control, host: '127.0.0.1',
                                   method, path: url }, res => {
            let text = '';

            res.on('data', d => { text += d; });
            res.on('end', () => (res.statusCode === 200
                                 ? resolve(JSON.parse(text))
                                 : reject(new Error(text))));
        });

        req.on('error', reject);
        req.end(value === undefined ? undefined : JSON.stringify(value));
    });
}


/* a request that the client does not sign, or that is changed after that */

function raw(method, key, headers = {}, body = '') {
    return new Promise((resolve, reject) => {
        const req = http.request({
            host: '127.0.0.1', port: server.port, method, path: key, headers
        }, res => {
            const chunks = [];

            res.on('data', d => chunks.push(d));
            res.on('error', reject);
            res.on('end', () => resolve({
                status: res.statusCode, headers: res.headers,
                text: Buffer.concat(chunks).toString()
            }));
        });

        req.on('error', reject);
        req.end(body);
    });
}


function signed(c, method, key, headers = {}) {
    const { params, url } = createRequest.call(c, { method, headers,
                                                    bucket: 'bucket',
                                                    object: key });
    const all = Object.entries(params.headers)
                .filter(([, v]) => v !== undefined);

    return { path: new URL(url).pathname,
             headers: { ...Object.fromEntries(all),
                        host: 'bucket.localhost' } };
}


function crc(data) {
    return String(new Crc64().update(data).digest());
}


async function objects(c, dir) {
    const name = `${dir}/live/a b+c&<d>'(1)~你好.ts`;
    const data = crypto.randomBytes(300001);

    const put = await c.put(name, data, {
        headers: { 'x-oss-meta-author': 'alice',
                   'x-oss-storage-class': 'IA' }
    });

    assert.equal(put.res.headers['x-oss-hash-crc64ecma'], crc(data));
    assert.equal(put.res.headers.etag, `"${crypto.createHash('md5')
                 .update(data).digest('hex').toUpperCase()}"`);

    const get = await c.get(name);

    assert.ok(get.content.equals(data));
    assert.equal(get.res.headers['content-type'], 'video/mp2t');

    const part = await c.get(name, { headers: { Range: 'bytes=100-199' } });

    assert.equal(part.res.status, 206);
    assert.ok(part.content.equals(data.subarray(100, 200)));

    const head = await c.head(name);

    assert.equal(head.meta.author, 'alice');
    assert.equal(head.res.headers['x-oss-storage-class'], 'IA');
    assert.equal(head.res.headers['content-length'], '300001');

    await c.copy(`${dir}/copy.ts`, name);
    assert.ok((await c.get(`${dir}/copy.ts`)).content.equals(data));

    await refused(c.put(name, data, {
        headers: { 'x-oss-forbid-overwrite': 'true' }
    }), 'FileAlreadyExists', 409);

    await c.delete(name);
    await c.delete(name);
    await refused(c.get(name), 'NoSuchKey', 404);
    await refused(c.head(name), 'NoSuchKey', 404);
    await c.delete(`${dir}/copy.ts`);
}


async function lists(c, dir) {
    const names = ['a', 'b/1 +&', 'b/2', 'b/3', 'c', 'd'];
    const found = [];
    let token;

    for (const n of names) {
        await c.put(`${dir}/${n}`, Buffer.from(n));
    }

    do {
        const page = await c.listV2({
            'prefix': `${dir}/`, 'max-keys': 2, 'continuation-token': token
        });

        assert.equal(Number(page.keyCount), page.objects.length);
        found.push(...page.objects);
        token = page.nextContinuationToken;
    } while (token);

    assert.deepEqual(found.map(o => o.name), names.map(n => `${dir}/${n}`));
    assert.equal(found[1].size, 6);

    const page = await c.listV2({
        'prefix': `${dir}/`, 'delimiter': '/', 'start-after': `${dir}/a`
    });

    assert.deepEqual(page.prefixes, [`${dir}/b/`]);
    assert.deepEqual(page.objects.map(o => o.name),
                     [`${dir}/c`, `${dir}/d`]);

    const empty = await c.listV2({ prefix: `${dir}/nothing` });

    assert.equal(empty.objects.length, 0);

    for (const n of names) {
        await c.delete(`${dir}/${n}`);
    }
}


async function multipart(c, dir) {
    const name = `${dir}/big file.mp4`;
    const data = crypto.randomBytes(350000);
    const file = path.join(tmp, 'big');

    fs.writeFileSync(file, data);

    const up = await c.multipartUpload(name, file, { partSize: 102400,
                                                     parallel: 3 });

    assert.match(up.etag, /^"[0-9A-F]{32}-4"$/);
    assert.equal(up.res.headers['x-oss-hash-crc64ecma'], crc(data));
    assert.ok((await c.get(name)).content.equals(data));

    /* the last part first, gaps, and one part twice */

    const { uploadId } = await c.initMultipartUpload(name);
    const put = (n, start, end) => c.uploadPart(name, uploadId, n, file,
                                                start, end);
    const last = await put(9, 200000, 350000);

    await put(2, 0, 1000);

    const first = await put(2, 0, 200000);
    const parts = [{ number: 2, etag: first.etag },
                   { number: 9, etag: last.etag }];

    assert.equal((await c.listParts(name, uploadId)).parts.length, 2);
    assert.equal((await c.listUploads({ prefix: dir })).uploads.length, 1);

    await refused(c.completeMultipartUpload(name, uploadId, [
        parts[0], { number: 9, etag: first.etag }
    ]), 'InvalidPart', 400);

    await c.completeMultipartUpload(name, uploadId, parts);
    assert.ok((await c.get(name)).content.equals(data));

    await refused(c.completeMultipartUpload(name, uploadId, parts),
                  'NoSuchUpload', 404);

    /* only what is not the last has to be large */

    const second = await c.initMultipartUpload(name);
    const small = await c.uploadPart(name, second.uploadId, 1, file, 0, 1000);

    await refused(c.completeMultipartUpload(name, second.uploadId, [
        { number: 1, etag: small.etag },
        await c.uploadPart(name, second.uploadId, 3, file, 0, 1000)
               .then(p => ({ number: 3, etag: p.etag }))
    ]), 'EntityTooSmall', 400);
    await refused(c.uploadPart(name, second.uploadId, 10001, file, 0, 10),
                  'InvalidArgument', 400);

    await c.abortMultipartUpload(name, second.uploadId);
    await refused(c.listParts(name, second.uploadId), 'NoSuchUpload', 404);
    assert.equal((await c.listUploads({ prefix: dir })).uploads.length, 0);

    await c.delete(name);
}


async function signatures(v4) {
    const c = client(v4);
    const data = Buffer.from('x');

    await refused(client(v4, { accessKeySecret: 'no' }).put('x', data),
                  'SignatureDoesNotMatch', 403);
    await refused(client(v4, { accessKeyId: 'no' }).put('x', data),
                  'InvalidAccessKeyId', 403);
    await refused(client(v4, { accessKeySecret: 'no' }).head('x'),
                  'SignatureDoesNotMatch', 403);

    const good = signed(c, 'PUT', 'x', { 'x-oss-meta-a': '1' });

    good.headers['content-length'] = 1;
    assert.equal((await raw('PUT', good.path, good.headers, 'x')).status,
                 200);

    for (const change of [
        h => { h['x-oss-meta-a'] = '2'; },
        h => { h['x-oss-meta-b'] = '1'; },
        h => { delete h['x-oss-meta-a']; },
        h => { h['content-type'] = 'text/x'; },
        h => { h['content-md5'] = 'nSoIxn/7WAQ1e/u2EbZ3zQ=='; },
        h => { h.authorization = h.authorization.slice(0, -1)
               + (h.authorization.endsWith('0') ? '1' : '0'); }
    ]) {
        const headers = { ...good.headers };

        change(headers);

        const bad = await raw('PUT', good.path, headers, 'x');

        assert.equal(bad.status, 403, change);
        assert.match(bad.text, /<Code>SignatureDoesNotMatch</);
        assert.match(bad.text, /<StringToSign>/);
        assert.match(bad.text, /<EC>0002-00000040</);
    }

    assert.equal((await raw('PUT', '/y', good.headers, 'x')).status, 403);
    assert.equal((await raw('POST', good.path, good.headers, 'x')).status,
                 403);
    assert.equal((await raw('PUT', `${good.path}?acl`, good.headers, 'x'))
                 .status, 403);

    for (const [off, status] of [[-1000, 403], [1000, 403], [-800, 200],
                                 [800, 200]])
    {
        const far = client(v4);

        far.options.amendTimeSkewed = off * 1000;

        if (status === 200) {
            await far.put('x', data);

        } else {
            await refused(far.put('x', data), 'RequestTimeTooSkewed', 403);
        }
    }

    await c.delete('x');
}


async function tokens(v4) {
    const sts = token => client(v4, {
        accessKeyId: 'STS.x', accessKeySecret: 'y', stsToken: token,
        refreshSTSToken: async () => {}, refreshSTSTokenInterval: 1e9
    });

    await sts('token').put('sts', Buffer.from('1'));
    await refused(sts('other').put('sts', Buffer.from('1')),
                  'InvalidSecurityToken', 403);
    await refused(client(v4, { accessKeyId: 'STS.x', accessKeySecret: 'y' })
                  .put('sts', Buffer.from('1')), 'InvalidAccessKeyId', 403);

    await control('PUT', '/keys', [
        { id: 'ak', secret: 'sk' },
        { id: 'STS.x', secret: 'y', token: 'token', expired: true }
    ]);
    await refused(sts('token').put('sts', Buffer.from('1')),
                  'SecurityTokenExpired', 403);
    await control('PUT', '/keys', [
        { id: 'ak', secret: 'sk' },
        { id: 'STS.x', secret: 'y', token: 'token' }
    ]);
}


async function faults() {
    const c = client(true, { timeout: 1000 });
    const put = () => c.put('f', Buffer.alloc(200000));
    const set = (...list) => control('PUT', '/faults', list);
    const fails = promise => assert.rejects(promise, e => (
        e.status === -1 || e.status === -2
        || /Timeout/.test(e.name)));

    await set({ fault: 'status', method: 'PUT', key: '^f$', nth: 2,
                status: 503, code: 'ServiceUnavailable', retryAfter: 3 });
    await put();
    await refused(put(), 'ServiceUnavailable', 503);
    await put();

    await c.delete('f');
    await set({ fault: 'reset-after-bytes', method: 'PUT', bytes: 100000 });
    await fails(put());
    assert.equal((await raw('GET', '/bucket/f')).status, 404);

    await set({ fault: 'stall' });
    await fails(put());
    assert.equal((await raw('GET', '/bucket/f')).status, 404);

    for (const fault of ['stall-answer', 'lost-reply', 'half-reply']) {
        await c.delete('f');
        await set({ fault, method: 'PUT' });
        await fails(put());
        assert.equal((await c.get('f')).content.length, 200000, fault);
    }

    await set({ fault: 'wrong-crc', method: 'PUT' });
    assert.notEqual((await put()).res.headers['x-oss-hash-crc64ecma'],
                    crc(Buffer.alloc(200000)));

    await set({ fault: 'half-reply', method: 'GET' });
    await assert.rejects(c.get('f'));

    await set({ fault: '203' });
    await refused(put(), 'CallbackFailed', 203);

    await set({ fault: '200-error-body' });
    assert.equal((await put()).res.status, 200);

    await set({ fault: 'skew', seconds: -1000, times: 0 });
    await refused(put(), 'RequestTimeTooSkewed', 403);
    await refused(put(), 'RequestTimeTooSkewed', 403);
    await set();

    await control('PUT', '/skew', 1000);
    await refused(put(), 'RequestTimeTooSkewed', 403);
    await control('PUT', '/skew', 0);
    await put();

    await set({ fault: 'slow', rate: 400000, method: 'PUT' });

    const began = Date.now();

    await put();
    assert.ok(Date.now() - began >= 350);

    /* as if a rule of the bucket had aborted it */

    const up = await c.initMultipartUpload('f');

    await set({ fault: 'abort-upload', query: 'partNumber',
                noheader: 'x-oss-copy-source' },
              { fault: 'status', status: 400, header: 'x-oss-copy-source' });
    await refused(c.uploadPartCopy('f', up.uploadId, 1, '0-9',
                                   { sourceKey: 'f', sourceBucketName:
                                       'bucket' }), 'ServiceUnavailable',
                  400);
    await refused(c.uploadPart('f', up.uploadId, 1, path.join(tmp, 'big'), 0,
                               10), 'NoSuchUpload', 404);

    await assert.rejects(set({ fault: 'nonsense' }), /unknown fault/);
    await c.delete('f');
}


async function bodies() {
    const c = client(true);
    const ask = (headers, body) => {
        const s = signed(c, 'PUT', 'b', headers);

        return raw('PUT', s.path, s.headers, body);
    };

    const md5 = await ask({ 'Content-MD5': 'eB5eJF1ptWaXm4bijSPyxw==',
                            'Content-Length': 10 }, '0123456789');

    assert.equal(md5.status, 200);
    assert.equal(md5.headers['content-md5'], 'eB5eJF1ptWaXm4bijSPyxw==');

    const other = await ask({ 'Content-MD5': 'eB5eJF1ptWaXm4bijSPyxw==',
                              'Content-Length': 10 }, '0123456780');

    assert.equal(other.status, 400);
    assert.match(other.text, /InvalidDigest/);
    assert.equal((await c.get('b')).content.toString(), '0123456789');

    /* a body that ends too soon leaves nothing behind */

    const s = signed(c, 'PUT', 'short', { 'Content-Length': 100 });

    await new Promise(resolve => {
        const req = http.request({ host: '127.0.0.1', port: server.port,
                                   method: 'PUT', path: s.path,
                                   headers: s.headers });

        req.on('error', resolve);
        req.write('half', () => setTimeout(() => req.destroy(), 50));
    });

    await refused(c.head('short'), 'NoSuchKey', 404);

    for (const value of ['Cold', 'standard']) {
        await refused(c.put('b', Buffer.from('x'), {
            headers: { 'x-oss-storage-class': value }
        }), 'InvalidArgument', 400);
    }

    for (const key of ['/bucket/%2e%2e/x', '/bucket/a/%2E%2E/%2e%2e/x']) {
        assert.equal((await raw('GET', key)).status, 400);
    }

    await refused(client(true, { bucket: 'nobody' }).put('x', Buffer.from('')),
                  'NoSuchBucket', 404);
    await c.delete('b');
}


async function publicRead() {
    await client(true).put('p/index.m3u8', Buffer.from('#EXTM3U\n'));

    const get = await raw('GET', '/bucket/p/index.m3u8',
                          { Origin: 'http://x' });

    assert.equal(get.status, 200);
    assert.equal(get.text, '#EXTM3U\n');
    assert.equal(get.headers['access-control-allow-origin'], '*');
    assert.match(get.headers['content-type'], /mpegurl/i);

    assert.equal((await raw('PUT', '/bucket/p/x', {}, 'x')).status, 403);
    assert.equal((await raw('GET', '/bucket/?list-type=2')).status, 403);
    await client(true).delete('p/index.m3u8');
}


async function reuse() {
    const c = client(true);
    const before = await control('GET', '/stats');

    for (let i = 0; i < 5; i++) {
        await c.put('k', Buffer.from('x'));
        await refused(c.get('none'), 'NoSuchKey', 404);
    }

    const after = await control('GET', '/stats');

    assert.equal(after.requests - before.requests, 10);
    assert.ok(after.connections - before.connections <= 1);
    await c.delete('k');
}


function journal() {
    const lines = fs.readFileSync(logFile, 'utf8').trim().split('\n')
                  .map(l => JSON.parse(l));

    assert.ok(lines.some(l => l.signature === 'v1+ok' && l.ok));
    assert.ok(lines.some(l => l.signature === 'v4+ok' && l.ok));
    assert.ok(lines.some(l => l.signature === 'v4' && l.status === 403
                              && l.code === 'SignatureDoesNotMatch'
                              && !l.ok));

    for (const style of ['path', 'vhost', 'cname']) {
        assert.ok(lines.some(l => l.style === style && l.ok), style);
    }

    assert.ok(lines.some(l => l.tls && l.ok));
    assert.ok(lines.some(l => l.fault === 'lost-reply' && !l.ok));
    assert.ok(lines.some(l => l.in === 300001 && l.bucket === 'bucket'
                              && l.oss['x-oss-storage-class'] === 'IA'));
    assert.ok(!lines.some(l => JSON.stringify(l).includes('"token"')));
}


await check('crc-64 of the server', () => {
    const a = Buffer.from('1234');
    const b = Buffer.from('56789');
    const sum = data => new Crc64().update(data).digest();

    assert.equal(sum(Buffer.concat([a, b])), 0x995dc9bbdf1939fan);
    assert.equal(combine(sum(a), sum(b), 5), 0x995dc9bbdf1939fan);
    assert.equal(sum(Buffer.alloc(0)), 0n);
});

for (const v4 of [false, true]) {
    const version = v4 ? 'V4' : 'V1';

    for (const style of Object.keys(STYLES)) {
        const c = client(v4, STYLES[style]);
        const dir = `${version} ${style}`.replace(/ /g, '-');

        await check(`${version} ${style}: objects`, () => objects(c, dir));
        await check(`${version} ${style}: lists`, () => lists(c, dir));
        await check(`${version} ${style}: multipart`,
                    () => multipart(c, dir));
    }

    await check(`${version}: what is not signed right is refused`,
                () => signatures(v4));
    await check(`${version}: security tokens`, () => tokens(v4));
}

await check('bodies', bodies);
await check('faults', faults);
await check('public read', publicRead);
await check('connections are reused', reuse);
await check('log', journal);

fs.rmSync(tmp, { recursive: true });
process.exit(0);
