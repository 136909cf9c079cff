
/*
 * Copyright (C) the ngx_live_record authors
 *
 * notify-server.mjs PORT LOG [--key KEY] [--bucket DIR] [--cert DIR]: a
 * receiver of callbacks that may be in trouble.
 *
 * What is sent is written to LOG, a JSON object a line: the time, headers,
 * body, whether the signature is the one of KEY for 127.0.0.1, whether the
 * object exists in the directory DIR by now, what was answered, and how many
 * requests are under way.  LOG.mode holds how the receiver is: "ok", a status
 * such as "500", "slow", "close" for an end before the answer, "redirect",
 * "long" for an answer without an end; and after a space perhaps the stream
 * that it is for.  With --cert it speaks TLS, with a certificate of its own
 * in that directory.
 */


import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';


const [port, log, ...rest] = process.argv.slice(2);
const options = {};

for (let i = 0; i < rest.length; i += 2) {
    options[rest[i].slice(2)] = rest[i + 1];
}

let active = 0;


function mode(stream) {
    let text = 'ok';

    try {
        text = readFileSync(`${log}.mode`, 'utf8').trim();
    } catch {
        // nothing is wrong with it
    }

    const [name, only] = text.split(' ');

    return only && only !== stream ? 'ok' : name;
}


function signed(headers) {
    const time = headers['ali-live-timestamp'];
    const text = `127.0.0.1|${time}|${options.key}`;

    return headers['ali-live-signature']
               === createHash('md5').update(text).digest('hex')
           && Math.abs(Date.now() / 1000 - Number(time)) < 60;
}


function answer(how, req, res) {
    switch (how) {

    case 'ok':
        res.end('thank you');
        return 200;

    case 'slow':
        setTimeout(() => res.end(), 7000);
        return 0;

    case 'close':
        req.socket.destroy();
        return 0;

    case 'redirect':
        res.writeHead(302, { Location: '/elsewhere' });
        res.end();
        return 302;

    case 'long':
        res.writeHead(200);
        setInterval(() => res.write('x'.repeat(65536)), 5).unref();
        return 200;

    default:
        res.writeHead(Number(how));
        res.end();
        return Number(how);
    }
}


function receive(req, res) {
    const chunks = [];

    active++;
    res.on('close', () => active--);

    req.on('data', chunk => chunks.push(chunk));

    req.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const o = JSON.parse(body);
        const line = { time: Date.now() / 1000, method: req.method,
                       url: req.url, headers: req.headers, body, active };

        line.mode = mode(o.stream);
        line.signed = options.key ? signed(req.headers) : null;
        line.exists = o.uri === undefined ? null
                      : existsSync(`${options.bucket}/${o.uri}`);
        line.status = answer(line.mode, req, res);

        appendFileSync(log, JSON.stringify(line) + '\n');
    });
}


let server;

if (options.cert) {
    const dir = options.cert;

    if (!existsSync(`${dir}/cert.pem`)) {
        execFileSync('openssl', [ 'req', '-x509', '-newkey', 'rsa:2048',
            '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext',
            'subjectAltName=IP:127.0.0.1', '-keyout', `${dir}/key.pem`,
            '-out', `${dir}/cert.pem` ], { stdio: 'ignore' });
    }

    server = https.createServer({ key: readFileSync(`${dir}/key.pem`),
                                  cert: readFileSync(`${dir}/cert.pem`) },
                                receive);
} else {
    server = http.createServer(receive);
}

server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
