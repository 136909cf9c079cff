
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Signatures of requests to the fake store when it speaks S3, verified by
 * the npm package aws4: it shares nothing with our code.
 */


import crypto from 'node:crypto';
import { createRequire } from 'node:module';

import { StoreError } from './oss-store.mjs';


const { RequestSigner } = createRequire(import.meta.url)('aws4');

const SKEW = 15 * 60 * 1000;

const EMPTY = crypto.createHash('sha256').digest('hex');


/*
 * Throws unless the request is signed by one of the keys; as authorize() of
 * oss-auth.mjs.  r.signature becomes "s3+ok", with "+signed" behind it if
 * the sum of the body is a part of it: r.payload then is that sum, and what
 * is received has to be compared with it.
 */

export function authorizeS3(r, keys, region) {
    const { headers, method, url } = r.req;
    const auth = headers.authorization;

    if (auth === undefined) {
        throw new StoreError(403, 'AccessDenied', 'Access Denied');
    }

    const m = new RegExp('^AWS4-HMAC-SHA256 Credential=([^,]+), ?'
                         + 'SignedHeaders=([^,]+), ?'
                         + 'Signature=([0-9a-f]{64})$').exec(auth);

    r.signature = 's3';

    if (!m) {
        throw malformed('The authorization header is malformed.');
    }

    const [id, date, theirs, service, kind, more] = m[1].split('/');
    const stamp = headers['x-amz-date'] ?? '';
    const names = m[2].split(';');
    const payload = headers['x-amz-content-sha256'];
    const t = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(stamp);

    if (!t) {
        throw new StoreError(403, 'AccessDenied', 'AWS authentication'
                             + ' requires a valid Date or x-amz-date header');
    }

    if (Math.abs(r.now - Date.UTC(t[1], t[2] - 1, t[3], t[4], t[5], t[6]))
        > SKEW)
    {
        throw new StoreError(403, 'RequestTimeTooSkewed', 'The difference'
                             + ' between the request time and the current'
                             + ' time is too large.');
    }

    if (theirs !== region) {
        const e = malformed(`the region '${theirs}' is wrong; expecting`
                            + ` '${region}'`);

        e.more = { Region: region };
        throw e;
    }

    if (service !== 's3' || kind !== 'aws4_request' || more !== undefined
        || date !== stamp.slice(0, 8))
    {
        throw malformed('The credential is malformed.');
    }

    if (payload === undefined) {
        throw new StoreError(400, 'InvalidRequest', 'Missing required header'
                             + ' for this request: x-amz-content-sha256');
    }

    /* what counts has to be covered */

    if (names.join() !== [...names].sort().join()
        || names.some(name => headers[name] === undefined)
        || Object.keys(headers).some(name => (
            (name === 'host' || name === 'content-md5'
             || name.startsWith('x-amz-')) && !names.includes(name))))
    {
        throw new StoreError(403, 'AccessDenied', 'There were headers present'
                             + ' in the request which were not signed');
    }

    const key = credentials(keys, id, headers['x-amz-security-token']);

    const signer = new RequestSigner({
        method, path: url, service: 's3', region, doNotModifyHeaders: true,
        headers: Object.fromEntries(names.map(name => [
            name, Buffer.from(headers[name], 'latin1').toString('utf8')
        ])),
        extraHeadersToInclude: Object.fromEntries(names.map(name => (
            [name, true])))
    }, { accessKeyId: id, secretAccessKey: key.secret });

    signer.datetime = stamp;

    if (signer.signature() !== m[3]) {
        const e = new StoreError(403, 'SignatureDoesNotMatch', 'The request'
                                 + ' signature we calculated does not match'
                                 + ' the signature you provided. Check your'
                                 + ' key and signing method.');

        e.more = {
            AWSAccessKeyId: id,
            SignatureProvided: m[3],
            StringToSign: signer.stringToSign(),
            CanonicalRequest: signer.canonicalString()
        };
        throw e;
    }

    r.signature += '+ok';

    if (/^[0-9a-f]{64}$/.test(payload)) {
        r.payload = payload;
        r.signature += '+signed';

        if (['GET', 'HEAD', 'DELETE'].includes(method) && payload !== EMPTY) {
            throw wrongPayload();
        }

    } else if (payload !== 'UNSIGNED-PAYLOAD') {
        throw new StoreError(501, 'NotImplemented', 'A header you provided'
                             + ' implies functionality that is not'
                             + ' implemented.');
    }
}


export function wrongPayload() {
    return new StoreError(400, 'XAmzContentSHA256Mismatch', 'The provided'
                          + ' \'x-amz-content-sha256\' header does not match'
                          + ' what was computed.');
}


function malformed(message) {
    return new StoreError(400, 'AuthorizationHeaderMalformed', message);
}


function credentials(keys, id, token) {
    const key = keys.get(id);

    if (!key || (token !== undefined && !key.token)) {
        throw new StoreError(403, 'InvalidAccessKeyId', 'The AWS Access Key'
                             + ' Id you provided does not exist in our'
                             + ' records.');
    }

    if (key.token && (key.expired || key.expires < Date.now())) {
        throw new StoreError(400, 'ExpiredToken', 'The provided token has'
                             + ' expired.');
    }

    if (key.token !== token) {
        throw new StoreError(400, 'InvalidToken', 'The provided token is'
                             + ' malformed or otherwise invalid.');
    }

    return key;
}
