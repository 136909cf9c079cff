
/*
 * Copyright (C) the ngx_live_record authors
 *
 * oss-read.mjs PORT BUCKET ID SECRET [TOKEN]: lists and reads all of a
 * bucket of the fake OSS with Alibaba's own client, and prints a JSON array
 * of { key, size, type, md5, crc, ok, set }: ok if the CRC-64 of what was
 * read is what the store says, set what the object is like.  Of one that is
 * archived there is only the last.
 */


import crypto from 'node:crypto';
import http from 'node:http';
import { createRequire } from 'node:module';

import { Crc64 } from './crc64.mjs';


const OSS = createRequire(import.meta.url)('ali-oss');

const [port, bucket, id, secret, token] = process.argv.slice(2);

/* every name is this machine's */

const lookup = (name, options, callback) => (
    options.all ? callback(null, [{ address: '127.0.0.1', family: 4 }])
                : callback(null, '127.0.0.1', 4)
);

const client = new OSS({
    region: 'oss-cn-hangzhou', accessKeyId: id, accessKeySecret: secret,
    stsToken: token, bucket, authorizationV4: true,
    endpoint: `http://localhost:${port}`,
    agent: new http.Agent({ lookup, keepAlive: true })
});

const all = [];
let next;

do {
    const list = await client.listV2({ 'max-keys': '5',
                                       'continuation-token': next });

    for (const o of list.objects ?? []) {
        const { headers: h } = (await client.head(o.name)).res;
        const set = {
            class: h['x-oss-storage-class'],
            encryption: h['x-oss-server-side-encryption'],
            cache: h['cache-control'],
            meta: Object.fromEntries(Object.entries(h)
                  .filter(([k]) => k.startsWith('x-oss-meta-'))
                  .map(([k, v]) => [k.slice(11), v])),
            tags: (await client.getObjectTagging(o.name)).tag,
            acl: (await client.getACL(o.name)).acl
        };

        if (/Archive/.test(set.class)) {
            all.push({ key: o.name, size: o.size, type: h['content-type'],
                       set });
            continue;
        }

        const got = await client.get(o.name);
        const { headers } = got.res;
        const crc = String(new Crc64().update(got.content).digest());

        all.push({
            key: o.name, size: got.content.length,
            type: headers['content-type'],
            md5: crypto.createHash('md5').update(got.content).digest('hex'),
            crc,
            ok: crc === headers['x-oss-hash-crc64ecma']
                && o.size === got.content.length,
            set
        });
    }

    next = list.nextContinuationToken;

} while (next);

console.log(JSON.stringify(all));
process.exit(0);
