#!/usr/bin/env node

/*
 * Copyright (C) the ngx_live_record authors
 *
 * proxy.mjs PORT USER:PASSWORD LOG: a forward proxy on 127.0.0.1, which
 * tunnels with CONNECT and passes on what is asked by a whole URL.  Writes a
 * line of JSON for each: { method, url, status }, and to stdout when it is
 * there.
 */


import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';


const [port, user, file] = process.argv.slice(2);
const right = `Basic ${Buffer.from(user).toString('base64')}`;
const log = fs.openSync(file, 'a');


function write(req, status) {
    fs.writeSync(log, `${JSON.stringify({ method: req.method, url: req.url,
                                          status })}\n`);
}


function allowed(req) {
    return req.headers['proxy-authorization'] === right;
}


const server = http.createServer((req, res) => {
    if (!allowed(req)) {
        write(req, 407);
        req.resume();
        res.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="test"' });
        res.end();
        return;
    }

    const url = new URL(req.url);
    const headers = { ...req.headers };

    delete headers['proxy-authorization'];
    delete headers['proxy-connection'];

    const up = http.request({ host: url.hostname, port: url.port,
                              path: url.pathname + url.search,
                              method: req.method, headers }, back => {
        write(req, back.statusCode);
        res.writeHead(back.statusCode, back.rawHeaders);
        back.pipe(res);
    });

    up.on('error', () => res.destroy());
    req.pipe(up);
});

server.on('connect', (req, socket, head) => {
    socket.on('error', () => {});

    if (!allowed(req)) {
        write(req, 407);
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n'
                   + 'Proxy-Authenticate: Basic realm="test"\r\n'
                   + 'Content-Length: 0\r\n\r\n');
        return;
    }

    const url = new URL(`http://${req.url}`);
    const up = net.connect(url.port, url.hostname, () => {
        write(req, 200);
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        up.write(head);
        up.pipe(socket);
        socket.pipe(up);
    });

    up.on('error', () => socket.destroy());
    up.on('close', () => socket.destroy());
    socket.on('close', () => up.destroy());
});

process.on('SIGTERM', () => process.exit(0));

server.listen(Number(port), '127.0.0.1', () => console.log('{"ready":true}'));
