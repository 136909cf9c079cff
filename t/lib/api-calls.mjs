
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Calls of the API: reads a list of them as JSON, makes them one after
 * another, and writes what came of each.  "pop" and "openapi" are Alibaba's
 * own clients; "raw" signs here, so that it can do wrong.
 *
 *     { client, endpoint, id, secret, action, params, method, headers,
 *       same: N      (raw) the very request N times, side by side
 *       ...          (raw) see raw() }
 *
 * gives { status, code, body, headers, text }; code is that of an error.
 */


import crypto from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';


const require = createRequire(import.meta.url);
const Pop = require('@alicloud/pop-core');
const OpenApi = require('@alicloud/openapi-client');
const Util = require('@alicloud/tea-util');
const { parseStringPromise } = require('xml2js');

const VERSION = '2016-11-01';
const EMPTY = '';

/* ms; the clients' own are short for a machine with much to do */
const PATIENCE = 30000;


async function pop(call) {
    const client = new Pop({
        endpoint: call.endpoint, apiVersion: call.version || VERSION,
        accessKeyId: call.id, accessKeySecret: call.secret
    });

    try {
        const body = await client.request(call.action, call.params,
                                          { method: call.method || 'GET',
                                            timeout: PATIENCE });
        return { code: null, body };

    } catch (e) {
        return { code: e.code || 'failed', body: e.data,
                 text: String(e.message) };
    }
}


async function openapi(call) {
    const url = new URL(call.endpoint);
    const client = new OpenApi.default(new OpenApi.Config({
        endpoint: url.host, protocol: 'http',
        accessKeyId: call.id, accessKeySecret: call.secret,
        ...call.config
    }));
    const params = new OpenApi.Params({
        action: call.action, version: call.version || VERSION,
        protocol: 'HTTP', method: call.method || 'POST', authType: 'AK',
        style: 'RPC', pathname: url.pathname, reqBodyType: 'formData',
        bodyType: 'json'
    });
    const request = new OpenApi.OpenApiRequest({
        query: call.params, body: call.form
    });

    try {
        const answer = await client.callApi(params, request,
            new Util.RuntimeOptions({ autoretry: false,
                                      readTimeout: PATIENCE,
                                      connectTimeout: PATIENCE }));
        return { status: answer.statusCode, code: null, body: answer.body,
                 headers: answer.headers };

    } catch (e) {
        return { code: e.code || 'failed', body: e.data,
                 text: String(e.message) };
    }
}


const encode = (s) => encodeURIComponent(s).replace(/[!'()*]/g,
    (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());


const sorted = (o) => Object.keys(o).sort()
    .map((k) => `${encode(k)}=${encode(o[k])}`).join('&');


const iso = (ms) => new Date(ms).toISOString().replace(/\.\d+/, '');


const hash = (s) => crypto.createHash('sha256').update(s).digest('hex');


/* version 1; "lacks" leaves a parameter out, "set" says another thing */

function signV1(call, method) {
    const p = {
        Action: call.action, Version: call.version || VERSION,
        AccessKeyId: call.id, SignatureMethod: 'HMAC-SHA1',
        SignatureVersion: '1.0', SignatureNonce: call.nonce
            || crypto.randomUUID(),
        Timestamp: iso(Date.now() + 1000 * (call.late || 0)),
        Format: 'JSON', ...call.params, ...call.set
    };

    for (const name of call.lacks || []) {
        delete p[name];
    }

    const string = `${method}&%2F&${encode(sorted(p))}`;

    const signature = crypto.createHmac('sha1', call.secret + '&')
        .update(string).digest('base64');

    if (!(call.lacks || []).includes('Signature')) {
        p.Signature = call.signature || signature;
    }

    return p;
}


/* ACS3; "unsigned" and "lacks" name headers, "set" says another thing */

function signAcs3(call, method, path, query, body) {
    const h = {
        host: new URL(call.endpoint).host, 'x-acs-action': call.action,
        'x-acs-version': call.version || VERSION,
        'x-acs-date': iso(Date.now() + 1000 * (call.late || 0)),
        'x-acs-signature-nonce': call.nonce || crypto.randomUUID(),
        'x-acs-content-sha256': hash(body), ...call.set
    };

    for (const name of call.lacks || []) {
        delete h[name];
    }

    const names = Object.keys(h).sort()
        .filter((n) => !(call.unsigned || []).includes(n));
    const canonical = [
        method, path, sorted(query),
        names.map((n) => `${n}:${String(h[n]).trim()}\n`).join(EMPTY),
        names.join(';'), hash(body)
    ].join('\n');

    const signature = crypto.createHmac('sha256', call.secret)
        .update(`ACS3-HMAC-SHA256\n${hash(canonical)}`).digest('hex');

    h.Authorization = call.authorization || 'ACS3-HMAC-SHA256 '
        + `Credential=${call.id},SignedHeaders=${names.join(';')},`
        + `Signature=${call.signature || signature}`;

    return h;
}


/*
 * More for "raw": acs3; form: parameters that go into the body, or all of
 * them; query and body: text that is added to what was signed; long: bytes
 * that are; type: of the body; chunked; leave: after so many ms
 */

async function raw(call) {
    const url = new URL(call.endpoint);
    const method = call.method || 'GET';
    const sign = call.signedAs || method;
    const form = { ...call.form };
    let query = { ...call.params };
    let headers = {};
    let body = sorted(form);

    if (call.acs3) {
        headers = signAcs3(call, sign, url.pathname, query, body);

    } else {
        query = signV1({ ...call, params: { ...query, ...form } }, sign);

        for (const name of Object.keys(form)) {
            delete query[name];
        }

        if (call.all) {
            body = sorted(query);
            query = {};
        }
    }

    body += call.body || EMPTY;

    if (call.long) {
        body += '&A=' + 'x'.repeat(call.long);
    }

    if (body.length) {
        headers['Content-Type'] = call.type
            || 'application/x-www-form-urlencoded';

        if (!call.chunked) {
            headers['Content-Length'] = Buffer.byteLength(body);
        }
    }

    Object.assign(headers, call.headers);

    const text = sorted(query) + (call.query || EMPTY);
    const one = () => send(url, method, url.pathname
        + (text ? '?' + text : EMPTY), headers, body, call.leave);

    if (!call.same) {
        return one();
    }

    const all = await Promise.all(Array.from({ length: call.same }, one));

    return { codes: all.map((a) => a.code) };
}


function send(url, method, path, headers, body, leave) {
    return new Promise((resolve) => {
        const req = http.request({
            host: url.hostname, port: url.port, method, path, headers,
            agent: false
        }, (res) => {
            const parts = [];

            res.on('data', (d) => parts.push(d));
            res.on('end', async () => resolve(await understood(res,
                Buffer.concat(parts).toString())));
        });

        if (leave) {
            setTimeout(() => req.destroy(), leave);
        }

        req.on('error', (e) => resolve({ failed: String(e) }));
        req.end(body.length ? body : undefined);
    });
}


async function understood(res, text) {
    let body = null;
    let root = null;

    if (/json/.test(res.headers['content-type'])) {
        body = text.length ? JSON.parse(text) : null;

    } else if (/xml/.test(res.headers['content-type'])) {
        const xml = await parseStringPromise(text, { explicitArray: false });

        [ root ] = Object.keys(xml);
        body = xml[root];
    }

    return { status: res.statusCode, headers: res.headers, body, root, text,
             code: body && body.Code ? body.Code : null };
}


/* "rate": the call again and again for some seconds, so often a second */

async function rate(call) {
    const clients = { pop, openapi, raw };
    const end = Date.now() + 1000 * call.seconds;
    const codes = {};
    const flying = new Set();
    let n = 0;

    const start = Date.now();

    while (Date.now() < end) {
        const due = (Date.now() - start) * call.rate / 1000;

        for ( /* void */ ; n < due && flying.size < 64; n++) {
            const p = clients[call.client](call).then((a) => {
                const code = a.code || a.failed || 'OK';

                codes[code] = (codes[code] || 0) + 1;
                flying.delete(p);
            });

            flying.add(p);
        }

        await new Promise((resolve) => setTimeout(resolve, 2));
    }

    await Promise.all(flying);

    return { n, codes, seconds: (Date.now() - start) / 1000 };
}


const chunks = [];

for await (const chunk of process.stdin) {
    chunks.push(chunk);
}

const answers = [];

for (const call of JSON.parse(Buffer.concat(chunks).toString())) {
    const clients = { pop, openapi, raw };

    answers.push(await (call.rate ? rate(call)
                                  : clients[call.client](call)));
}

process.stdout.write(JSON.stringify(answers));
