#!/usr/bin/env node

/*
 * Copyright (C) the ngx_live_record authors
 *
 * A fake of the metadata services of Alibaba Cloud's ECS and AWS's EC2, as
 * far as they give out the keys of a role.
 *
 *     metadata-server.mjs --log FILE --service NAME=JSON ...
 *
 * Each service has a port of its own, and settings:
 *
 *     kind     "ecs" or "aws"
 *     token    "needed", "known" or "none": of versions 2 and 1
 *     role     that the machine has; null for none
 *     ttl      s that a key lives
 *     renew    s before its end from which on there is a new one
 *     store    where keys are brought to, the control port of oss-server.mjs
 *     fault    null; a status, for all that is asked; "hang", "hang-token",
 *              "malformed", "failed", "large"
 *
 * Prints one line of JSON when ready: { control, ports: { name: port } }.
 * The control port takes PUT /NAME { settings }, which counts from then on;
 * POST /NAME/rotate: another key from now on; GET /NAME: settings, and how
 * many requests were under way at a time, at most.
 */


import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { parseArgs } from 'node:util';


const { values: conf } = parseArgs({ options: {
    'log': { type: 'string' },
    'service': { type: 'string', multiple: true }
} });

const KINDS = {
    ecs: { prefix: 'x-aliyun-ecs-metadata-token', refused: 403,
           path: '/latest/meta-data/ram/security-credentials/',
           names: ['AccessKeySecret', 'SecurityToken'] },
    aws: { prefix: 'x-aws-ec2-metadata-token', refused: 401,
           path: '/latest/meta-data/iam/security-credentials/',
           names: ['SecretAccessKey', 'Token'] }
};

const log = fs.openSync(conf.log, 'a');
const services = new Map();


function service(name, settings) {
    const s = {
        name, kind: 'ecs', token: 'needed', role: 'the-role', ttl: 3600,
        renew: 900, store: null, fault: null, ...settings,
        tokens: new Map(), key: null, active: 0, most: 0
    };

    services.set(name, s);

    return http.createServer((req, res) => serve(s, req, res));
}


async function serve(s, req, res) {
    const kind = KINDS[s.kind];
    const entry = { at: Date.now(), service: s.name, method: req.method,
                    url: req.url };
    const given = req.headers[kind.prefix];

    s.most = Math.max(s.most, ++s.active);

    res.on('close', () => {
        s.active--;
        fs.writeSync(log, `${JSON.stringify({ ...entry,
                                              status: res.statusCode })}\n`);
    });

    entry.token = given === undefined ? 'none'
                  : s.tokens.get(given) > Date.now() ? 'good' : 'bad';

    const answer = (status, text) => {
        res.writeHead(status, { 'Content-Type': 'text/plain' });
        res.end(text);
    };

    if (typeof s.fault === 'number') {
        answer(s.fault, 'A fault of the test.');
        return;
    }

    if (s.fault === 'hang'
        || (s.fault === 'hang-token' && req.method === 'PUT'))
    {
        return;
    }

    if (req.method === 'PUT' && req.url === '/latest/api/token'
        && s.token !== 'none')
    {
        const ttl = Number(req.headers[`${kind.prefix}-ttl-seconds`]);

        if (!(ttl >= 1 && ttl <= 21600) || req.headers['x-forwarded-for']) {
            answer(400, '');
            return;
        }

        const token = crypto.randomBytes(40).toString('base64');

        s.tokens.set(token, Date.now() + ttl * 1000);
        answer(200, token);
        return;
    }

    if (req.method !== 'GET' || !req.url.startsWith(kind.path)) {
        answer(404, 'Not Found');
        return;
    }

    if (s.token !== 'none'
        && entry.token !== (s.token === 'needed' ? 'good' : entry.token)
        || entry.token === 'bad')
    {
        answer(kind.refused, 'Unauthorized');
        return;
    }

    const role = req.url.slice(kind.path.length);

    if (!s.role || (role && role !== s.role)) {
        answer(404, 'Not Found');

    } else if (role === '') {
        answer(200, s.role);

    } else if (s.fault === 'malformed') {
        answer(200, '{ "Code" : "Success", "AccessKeyId" : "half');

    } else if (s.fault === 'failed') {
        answer(200, '{ "Code" : "AssumeRoleUnauthorizedAccess" }');

    } else if (s.fault === 'large') {
        answer(200, ' '.repeat(1 << 20));

    } else {
        const key = await give(s);

        entry.key = key.id;
        answer(200, JSON.stringify({
            Code: 'Success',
            LastUpdated: new Date(key.from).toISOString(),
            AccessKeyId: key.id,
            [kind.names[0]]: key.secret,
            [kind.names[1]]: key.token,
            Expiration: new Date(key.expires).toISOString()
        }, null, 2));
    }
}


/* the key of now; the store knows it before anybody else */

async function give(s) {
    const now = Date.now();

    if (s.key === null || s.key.expires - now < s.renew * 1000) {

        const id = `STS.${s.name}.${crypto.randomBytes(6).toString('hex')}`;

        s.key = {
            id, from: now, secret: crypto.randomBytes(15).toString('base64'),
            token: crypto.randomBytes(300).toString('base64'),
            expires: now + s.ttl * 1000
        };

        if (s.store) {
            await fetch(`${s.store}/keys`, { method: 'POST',
                                             body: JSON.stringify([s.key]) });
        }
    }

    return s.key;
}


async function control(req, res) {
    const chunks = [];

    for await (const chunk of req) {
        chunks.push(chunk);
    }

    const [, name, verb] = req.url.split('/');
    const s = services.get(name);
    const text = Buffer.concat(chunks).toString();

    if (!s) {
        res.writeHead(404).end();
        return;
    }

    if (verb === 'rotate') {
        s.key = null;

    } else if (req.method === 'PUT') {
        Object.assign(s, JSON.parse(text));
    }

    res.end(`${JSON.stringify({ ...s, tokens: undefined })}\n`);
}


async function main() {
    const ready = { ports: {} };

    const listen = server => new Promise((resolve, reject) => {
        server.on('error', reject);
        server.listen(0, '127.0.0.1',
                      () => resolve(server.address().port));
    });

    for (const given of conf.service) {
        const [name, ...json] = given.split('=');

        ready.ports[name] = await listen(service(name, JSON.parse(
                                                 json.join('=') || '{}')));
    }

    ready.control = await listen(http.createServer(control));

    console.log(JSON.stringify(ready));
}


for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => process.exit(0));
}

main().catch(e => {
    process.stderr.write(`${e.stack}\n`);
    process.exit(1);
});
