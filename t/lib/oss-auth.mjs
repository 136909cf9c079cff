
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Signatures of requests to the fake OSS, verified by the code of Alibaba's
 * own client, the npm package ali-oss: it shares nothing with ours.
 */


import { createRequire } from 'node:module';

import { StoreError } from './oss-store.mjs';


const sign = createRequire(import.meta.url)
             ('ali-oss/lib/common/signUtils.js');

const SKEW = 15 * 60 * 1000;

/* the parameters that version 1 signs; the others it leaves out */

const V1_PARAMS = new Set(`acl append bucketInfo callback callback-var
    continuation-token delete location objectMeta partNumber position
    resourceGroup restore security-token sequential stat symlink tagging
    uploadId uploads versionId versions`.split(/\s+/));


/*
 * Throws unless the request is signed by one of the keys.  r has the
 * method, the bucket, the key, params, headers and the server's now; its
 * signature is set to "v1" or "v4", and to "v1+ok" or "v4+ok" if right.
 */

export function authorize(r, keys, region) {
    const auth = r.headers.authorization;

    if (auth === undefined) {
        throw new StoreError(403, 'AccessDenied', 'You have no right to'
                             + ' access this object because of bucket acl.');
    }

    if (auth.startsWith('OSS4-HMAC-SHA256 ')) {
        r.signature = 'v4';
        authorizeV4(r, auth.slice(17), keys, region);

    } else if (auth.startsWith('OSS ')) {
        r.signature = 'v1';
        authorizeV1(r, auth.slice(4), keys);

    } else {
        throw malformed('The authorization header is invalid.');
    }

    r.signature += '+ok';
}


export function malformed(message, ec) {
    return new StoreError(400, 'InvalidArgument', message, ec);
}


function authorizeV1(r, auth, keys) {
    const { headers } = r;
    const colon = auth.indexOf(':');
    const given = auth.slice(colon + 1);
    const sub = {};

    if (colon < 1) {
        throw malformed('The authorization header is invalid.');
    }

    for (const [k, v] of Object.entries(r.params)) {
        if (V1_PARAMS.has(k) || /^(response-|x-oss-)/.test(k)) {
            sub[k] = v;
        }
    }

    clock(r, Date.parse(headers['x-oss-date'] ?? headers.date ?? ''));

    const key = credentials(r, keys, auth.slice(0, colon));
    const text = sign.buildCanonicalString(r.req.method,
        `/${r.bucket ? `${r.bucket}/` : ''}${r.key ?? ''}`,
        { headers, parameters: sub },
        headers['x-oss-date'] ? undefined : headers.date);

    if (sign.computeSignature(key.secret, text) !== given) {
        throw mismatch(key.id, given, text);
    }
}


function authorizeV4(r, auth, keys, ours) {
    const { headers } = r;
    const m = new RegExp('^Credential=([^,]+), ?'
                         + '(?:AdditionalHeaders=([^,]*), ?)?'
                         + 'Signature=([0-9a-f]{64})$').exec(auth);

    if (!m) {
        throw malformed('The authorization header is invalid.');
    }

    if (m[2] === '') {
        throw malformed('The AdditionalHeaders is empty.', '0002-00000209');
    }

    const [id, date, region, product, kind, more] = m[1].split('/');
    const stamp = headers['x-oss-date'] ?? '';
    const t = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp);
    const additional = m[2] ? m[2].split(';') : [];

    if (headers['x-oss-content-sha256'] !== 'UNSIGNED-PAYLOAD') {
        throw malformed('x-oss-content-sha256 must be UNSIGNED-PAYLOAD.',
                        '0002-00000214');
    }

    clock(r, t ? Date.UTC(t[1], t[2] - 1, t[3], t[4], t[5], t[6]) : NaN);

    if (product !== 'oss' || kind !== 'aliyun_v4_request'
        || more !== undefined || region !== ours
        || date !== stamp.slice(0, 8)
        || additional.some(h => headers[h] === undefined))
    {
        throw malformed('The credential or the additional headers are'
                        + ' invalid.');
    }

    const key = credentials(r, keys, id);
    const request = { headers, queries: r.params };
    const right = sign.authorizationV4(key.id, key.secret, region,
                                       r.req.method, request, r.bucket,
                                       r.key, additional);

    if (!right.endsWith(`Signature=${m[3]}`)) {
        const canonical = sign.getCanonicalRequest(r.req.method, request,
            r.bucket, r.key, sign.fixAdditionalHeaders(additional));

        throw mismatch(key.id, m[3],
                       sign.getStringToSign(region, stamp, canonical),
                       canonical);
    }
}


function clock(r, time) {
    if (Number.isNaN(time)) {
        throw new StoreError(403, 'AccessDenied', 'OSS authentication'
                             + ' requires a valid Date.');
    }

    if (Math.abs(r.now - time) > SKEW) {
        const e = new StoreError(403, 'RequestTimeTooSkewed', 'The difference'
                                 + ' between the request time and the current'
                                 + ' time is too large.', '0002-00000504');

        e.more = { RequestTime: new Date(time).toISOString(),
                   ServerTime: new Date(r.now).toISOString(),
                   MaxAllowedSkewMilliseconds: SKEW };
        throw e;
    }
}


function credentials(r, keys, id) {
    const key = keys.get(id);
    const token = r.headers['x-oss-security-token'];

    if (!key || Boolean(key.token) !== Boolean(token)) {
        throw new StoreError(403, 'InvalidAccessKeyId', 'The OSS Access Key'
                             + ' Id you provided does not exist in our'
                             + ' records.');
    }

    if (key.token && (key.expired || key.expires < Date.now())) {
        throw new StoreError(403, 'SecurityTokenExpired', 'The security token'
                             + ' you provided has expired.', '0002-00000007');
    }

    if (key.token && key.token !== token) {
        throw new StoreError(403, 'InvalidSecurityToken', 'The security token'
                             + ' you provided is invalid.', '0002-00000006');
    }

    return key;
}


function mismatch(id, given, text, canonical) {
    const e = new StoreError(403, 'SignatureDoesNotMatch', 'The request'
                             + ' signature we calculated does not match the'
                             + ' signature you provided. Check your key and'
                             + ' signing method.', '0002-00000040');

    e.more = {
        OSSAccessKeyId: id,
        SignatureProvided: given,
        StringToSign: text,
        StringToSignBytes: Buffer.from(text).toString('hex')
                           .replace(/(..)(?=.)/g, '$1 ').toUpperCase(),
        CanonicalRequest: canonical
    };

    return e;
}
