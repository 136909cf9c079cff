
/*
 * Copyright (C) the ngx_live_record authors
 *
 * Where the fake OSS keeps what it is given:
 *
 *     <root>/<bucket>/<key>           objects, as plain files
 *     <root>/.meta/<bucket>/<hash>    JSON of what goes with an object
 *     <root>/.uploads/<id>/           meta.json and parts by number
 *     <root>/.tmp/                    what is being received
 */


import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

import { Crc64, combine } from './crc64.mjs';


export class StoreError extends Error {
    constructor(status, code, message, ec) {
        super(message);
        this.status = status;
        this.code = code;
        this.ec = ec;
    }
}


/* a body on its way in: sums, and a temporary file unless discarded */

class Body {
    size = 0;

    constructor(file, { crc, md5, nvme }) {
        this.file = file;
        this.fd = file ? fs.openSync(file, 'wx') : -1;
        this.crc64 = crc ? new Crc64() : null;
        this.hash = md5 ? crypto.createHash('md5') : null;
        this.crcNvme = nvme ? new Crc64(true) : null;
    }

    write(chunk) {
        this.size += chunk.length;
        this.crc64?.update(chunk);
        this.hash?.update(chunk);
        this.crcNvme?.update(chunk);

        for (let n = 0; this.fd !== -1 && n < chunk.length; /* void */) {
            n += fs.writeSync(this.fd, chunk, n);
        }
    }

    close() {
        if (this.fd !== -1) {
            fs.closeSync(this.fd);
            this.fd = -1;
        }
    }

    end() {
        this.close();

        this.crc = this.crc64 ? this.crc64.digest() : null;
        this.md5 = this.hash ? this.hash.digest() : null;
        this.nvme = this.crcNvme?.digest();

        return this;
    }

    abort() {
        this.close();

        if (this.file) {
            fs.rmSync(this.file, { force: true });
        }
    }
}


export class Store {
    discarded = new Map();

    constructor(root, { discard = false, crc = true, md5 = !discard,
                        minPart = 102400 } = {})
    {
        this.root = root;
        this.discard = discard;
        this.crc = crc;
        this.md5 = md5;
        this.minPart = minPart;

        fs.mkdirSync(path.join(root, '.tmp'), { recursive: true });
    }

    receive(md5 = false, nvme = false) {
        const name = crypto.randomBytes(12).toString('hex');

        return new Body(this.discard ? null
                                     : path.join(this.root, '.tmp', name),
                        { crc: this.crc, md5: md5 || this.md5, nvme });
    }

    /* keys that cannot be files are refused; OSS itself would take them */

    path(bucket, key) {
        const parts = key.split('/');

        if (key.includes('\0')
            || parts.some(p => p === '' || p === '.' || p === '..'
                               || Buffer.byteLength(p) > 255))
        {
            throw new StoreError(400, 'InvalidObjectName',
                                 'The specified object is not valid.');
        }

        return path.join(this.root, bucket, ...parts);
    }

    metaPath(bucket, key) {
        const hash = crypto.createHash('sha256').update(key).digest('hex');

        return path.join(this.root, '.meta', bucket, `${hash}.json`);
    }

    /* gives a body its name at once; an existing one is spared if asked */

    commit(bucket, key, body, headers, exclusive) {
        const file = this.path(bucket, key);
        const meta = {
            etag: body.etag ?? (body.md5 ? hex(body.md5) : '0'.repeat(32)),
            crc: body.crc === null ? undefined : String(body.crc),
            size: body.size,
            nvme: body.nvme === undefined ? undefined : String(body.nvme),
            headers,
        };

        if (this.discard) {
            this.discarded.set(`${bucket}/${key}`,
                               { ...meta, mtime: new Date() });
            return meta;
        }

        try {
            fs.mkdirSync(path.dirname(file), { recursive: true });

            if (exclusive) {
                fs.linkSync(body.file, file);
                fs.unlinkSync(body.file);

            } else {
                fs.renameSync(body.file, file);
            }

        } catch (e) {
            fs.rmSync(body.file, { force: true });

            if (e.code === 'EEXIST' && exclusive) {
                throw exists();
            }

            if (['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOTEMPTY'].includes(e.code))
            {
                throw new StoreError(400, 'InvalidObjectName',
                                     'The key is a folder of another one.');
            }

            throw e;
        }

        meta.mtimeMs = fs.statSync(file).mtimeMs;
        writeJson(this.metaPath(bucket, key), meta);

        return meta;
    }

    head(bucket, key) {
        if (this.discard) {
            return this.discarded.get(`${bucket}/${key}`) ?? null;
        }

        const file = this.path(bucket, key);
        const st = fs.statSync(file, { throwIfNoEntry: false });

        if (!st?.isFile()) {
            return null;
        }

        let meta = readJson(this.metaPath(bucket, key));

        /* a test may have put the file there, or changed it */

        if (!meta || meta.size !== st.size || meta.mtimeMs !== st.mtimeMs) {
            const data = fs.readFileSync(file);

            meta = {
                etag: hex(crypto.createHash('md5').update(data).digest()),
                crc: String(new Crc64().update(data).digest()),
                headers: {},
                mtimeMs: st.mtimeMs,
            };
        }

        return { ...meta, file, size: st.size, mtime: st.mtime };
    }

    remove(bucket, key) {
        if (this.discard) {
            this.discarded.delete(`${bucket}/${key}`);
            return;
        }

        const file = this.path(bucket, key);

        if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) {
            return;
        }

        fs.rmSync(file);
        fs.rmSync(this.metaPath(bucket, key), { force: true });

        /* a folder is nothing but a part of names */

        for (let dir = path.dirname(file);
             dir !== path.join(this.root, bucket);
             dir = path.dirname(dir))
        {
            try {
                fs.rmdirSync(dir);

            } catch {
                break;
            }
        }
    }

    copy(from, bucket, key, headers, exclusive, sumless) {
        const body = this.receive();

        if (sumless) {
            body.crc64 = null;
        }

        this.pour(from.file, body, 0, from.size);
        body.end();

        /* of what was discarded there is nothing to sum up */

        if (this.discard) {
            body.crc = from.crc === undefined ? null : BigInt(from.crc);
            body.etag = from.etag;
        }

        return this.commit(bucket, key, body, headers, exclusive);
    }

    pour(file, body, start, end) {
        if (this.discard) {
            body.size = end - start;
            return;
        }

        const fd = fs.openSync(file, 'r');
        const buf = Buffer.allocUnsafe(1 << 20);

        try {
            while (start < end) {
                const n = fs.readSync(fd, buf, 0,
                                      Math.min(buf.length, end - start),
                                      start);

                if (n === 0) {
                    break;
                }

                body.write(buf.subarray(0, n));
                start += n;
            }

        } finally {
            fs.closeSync(fd);
        }
    }

    /* in the order of bytes, as OSS lists them */

    keys(bucket, prefix) {
        const list = [];
        const walk = (dir, name) => {
            for (const e of fs.readdirSync(dir, { withFileTypes: true })) {
                const key = name + e.name;

                if (e.isDirectory()) {
                    if (`${key}/`.startsWith(prefix)
                        || prefix.startsWith(`${key}/`))
                    {
                        walk(path.join(dir, e.name), `${key}/`);
                    }

                } else if (key.startsWith(prefix)) {
                    list.push(key);
                }
            }
        };

        if (this.discard) {
            for (const name of this.discarded.keys()) {
                if (name.startsWith(`${bucket}/${prefix}`)) {
                    list.push(name.slice(bucket.length + 1));
                }
            }

        } else if (fs.existsSync(path.join(this.root, bucket))) {
            walk(path.join(this.root, bucket), '');
        }

        return list.sort(byBytes);
    }

    /* multipart uploads */

    initiate(bucket, key, headers) {
        const id = crypto.randomBytes(16).toString('hex').toUpperCase();

        this.path(bucket, key);

        writeJson(this.uploadPath(id, 'meta.json'),
                  { id, bucket, key, headers, parts: {},
                    initiated: new Date().toISOString() });

        return id;
    }

    upload(id, bucket, key) {
        const up = /^[0-9A-F]{32}$/.test(id)
                   && readJson(this.uploadPath(id, 'meta.json'));

        if (!up || up.bucket !== bucket || up.key !== key) {
            throw new StoreError(404, 'NoSuchUpload',
                                 'The specified upload does not exist. The'
                                 + ' upload ID may be invalid, or the upload'
                                 + ' may have been aborted or completed.');
        }

        return up;
    }

    putPart(id, bucket, key, number, body) {
        /* read only now: parts come in parallel */

        const up = this.upload(id, bucket, key);
        const part = {
            etag: body.md5 ? hex(body.md5) : '0'.repeat(32),
            crc: body.crc === null ? undefined : String(body.crc),
            size: body.size,
            modified: new Date().toISOString(),
        };

        if (body.file) {
            fs.renameSync(body.file, this.uploadPath(id, String(number)));
        }

        up.parts[number] = part;
        writeJson(this.uploadPath(id, 'meta.json'), up);

        return part;
    }

    /* wanted: [{ number, etag }], or null for all that are there; with digits
       those of the parts are summed up, not their sums */

    complete(id, bucket, key, wanted, exclusive, headers, digits) {
        const up = this.upload(id, bucket, key);

        wanted ??= Object.keys(up.parts).map(Number).sort((a, b) => a - b)
                   .map(n => ({ number: n, etag: up.parts[n].etag }));

        if (wanted.length === 0) {
            throw new StoreError(400, 'MalformedXML', 'The XML you provided'
                                 + ' was not well-formed or did not validate'
                                 + ' against our published schema.');
        }

        if (wanted.some((w, i) => i && w.number <= wanted[i - 1].number)) {
            throw new StoreError(400, 'InvalidPartOrder', 'The list of parts'
                                 + ' was not in ascending order. Parts list'
                                 + ' must specified in order by part number.');
        }

        for (const w of wanted) {
            if (up.parts[w.number]?.etag !== w.etag.toUpperCase()) {
                throw new StoreError(400, 'InvalidPart', 'One or more of the'
                                     + ' specified parts could not be found'
                                     + ' or the specified entity tag might'
                                     + ' not have matched the part\'s entity'
                                     + ' tag.');
            }
        }

        if (wanted.slice(0, -1)
            .some(w => up.parts[w.number].size < this.minPart))
        {
            throw new StoreError(400, 'EntityTooSmall', 'Your proposed upload'
                                 + ' smaller than the minimum allowed size.',
                                 '0042-00000213');
        }

        if (exclusive && this.head(bucket, key)) {
            throw exists();
        }

        const body = new Body(this.discard ? null
                              : path.join(this.root, '.tmp', id), {});
        const md5 = crypto.createHash('md5');
        let crc = this.crc ? 0n : null;

        for (const w of wanted) {
            const part = up.parts[w.number];

            if (!this.discard) {
                this.pour(this.uploadPath(id, String(w.number)), body, 0,
                          part.size);

            } else {
                body.size += part.size;
            }

            md5.update(digits ? part.etag.toLowerCase()
                              : Buffer.from(part.etag, 'hex'));

            if (part.crc === undefined) {
                crc = null;

            } else if (crc !== null) {
                crc = combine(crc, BigInt(part.crc), part.size);
            }
        }

        body.end();
        body.crc = crc;
        body.etag = `${hex(md5.digest())}-${wanted.length}`;

        const acl = headers['x-oss-object-acl'];
        const meta = this.commit(bucket, key, body,
                                 acl === undefined ? up.headers
                                 : { ...up.headers,
                                     'x-oss-object-acl': acl }, exclusive);

        fs.rmSync(this.uploadPath(id), { recursive: true });

        return meta;
    }

    has(id) {
        return /^[0-9A-F]{32}$/.test(id)
               && fs.existsSync(this.uploadPath(id, 'meta.json'));
    }

    abort(id, bucket, key) {
        this.upload(id, bucket, key);
        fs.rmSync(this.uploadPath(id), { recursive: true });
    }

    uploads(bucket) {
        const dir = path.join(this.root, '.uploads');
        const ids = fs.existsSync(dir) ? fs.readdirSync(dir) : [];

        return ids.map(id => readJson(this.uploadPath(id, 'meta.json')))
               .filter(up => up && up.bucket === bucket)
               .sort((a, b) => byBytes(a.key, b.key) || byBytes(a.id, b.id));
    }

    uploadPath(...names) {
        return path.join(this.root, '.uploads', ...names);
    }
}


export function exists() {
    return new StoreError(409, 'FileAlreadyExists', 'The object you specified'
                          + ' already exists and can not be overwritten.',
                          '0026-00000002');
}


export function byBytes(a, b) {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
}


function hex(buf) {
    return buf.toString('hex').toUpperCase();
}


function readJson(file) {
    try {
        return JSON.parse(fs.readFileSync(file, 'utf8'));

    } catch (e) {
        if (e.code === 'ENOENT') {
            return null;
        }

        throw e;
    }
}


function writeJson(file, value) {
    const tmp = `${file}.${crypto.randomBytes(4).toString('hex')}`;

    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(tmp, JSON.stringify(value));
    fs.renameSync(tmp, file);
}
