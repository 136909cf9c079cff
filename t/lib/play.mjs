// Copyright (C) the ngx_live_record authors
//
// Plays a recording to its end in a real browser, Debian's chromium, and
// tells what it saw as one JSON object.
//
//     node t/lib/play.mjs DIRECTORY PLAYLIST [--rate N] [--timeout SECONDS]
//     node t/lib/play.mjs DIRECTORY FILE --mp4 [--seek SECONDS]
//     node t/lib/play.mjs DIRECTORY FILE --flv [--seek SECONDS]
//
// DIRECTORY is served over http, PLAYLIST and FILE are names in it.  With
// --seek it is played from there, when so far only its beginning has come.
// Exit status: 0 played to the end, 1 not, 2 bad arguments.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';


const require = createRequire(import.meta.url);

const types = {
    '.m3u8': 'application/vnd.apple.mpegurl',
    '.ts': 'video/mp2t',
    '.mp4': 'video/mp4',
    '.flv': 'video/x-flv',
    '.js': 'text/javascript',
    '.html': 'text/html; charset=utf-8',
};

const flags = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--autoplay-policy=no-user-gesture-required',
];

const page = `<!DOCTYPE html>
<html><body><video id="v" muted playsinline width="320"></video>
<script src="/.player/hls.js"></script>
<script src="/.player/mpegts.js"></script></body></html>`;

const players = {
    '/.player/hls.js': 'hls.js/dist/hls.js',
    '/.player/mpegts.js': 'mpegts.js/dist/mpegts.js',
};

// bytes that are sent at a time while there is a seek to be made, and the
// pause behind them in ms
const slow = { bytes: 65536, pause: 100 };


function serve(root, requests, slowly) {
    const server = http.createServer((req, res) => {
        const name = decodeURIComponent(new URL(req.url, 'http://x').pathname);

        if (name === '/.player/') {
            res.writeHead(200, { 'Content-Type': types['.html'] });
            res.end(page);
            return;
        }

        if (players[name]) {
            send(req, res, require.resolve(players[name]), false);
            return;
        }

        const from = send(req, res, path.join(root, path.normalize(name)),
            slowly);

        if (from !== undefined) {
            requests.push(from);
        }
    });

    return new Promise((resolve) => {
        server.listen(0, '127.0.0.1', () => resolve(server));
    });
}


// a range is what a video element asks of an mp4; gives where it begins

function send(req, res, file, slowly) {
    let size;

    try {
        const stat = fs.statSync(file);

        if (!stat.isFile()) {
            throw new Error('not a file');
        }

        size = stat.size;

    } catch {
        res.writeHead(404);
        res.end();
        return undefined;
    }

    const headers = {
        'Content-Type': types[path.extname(file)]
            || 'application/octet-stream',
        'Accept-Ranges': 'bytes',
        'Cache-Control': 'no-store',
    };

    let [start, end, code] = [0, size - 1, 200];
    const range = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range || '');

    if (range) {
        start = Number(range[1]);
        end = range[2] === '' ? end : Math.min(Number(range[2]), end);
        code = 206;
        headers['Content-Range'] = `bytes ${start}-${end}/${size}`;

        if (start > end) {
            res.writeHead(416, { 'Content-Range': `bytes */${size}` });
            res.end();
            return undefined;
        }
    }

    headers['Content-Length'] = end - start + 1;
    res.writeHead(code, headers);

    const stream = fs.createReadStream(file,
        { start, end, highWaterMark: slow.bytes });

    stream.on('error', () => res.destroy());

    if (!slowly) {
        stream.pipe(res);
        return start;
    }

    stream.on('data', (data) => {
        res.write(data);
        stream.pause();
        setTimeout(() => stream.resume(), slow.pause);
    });

    stream.on('end', () => res.end());
    res.on('close', () => stream.destroy());

    return start;
}


// runs in the page

function play({ url, rate, seconds, mp4, flv, seek }) {
    const video = document.getElementById('v');
    const errors = [];
    const discontinuities = new Set();
    let fragments = 0;
    let playing = false;
    let shown;

    return new Promise((resolve) => {
        const started = performance.now();

        function done(ended) {
            const q = video.getVideoPlaybackQuality();

            resolve({
                ended,
                duration: video.duration,
                currentTime: video.currentTime,
                totalVideoFrames: q.totalVideoFrames,
                droppedVideoFrames: q.droppedVideoFrames,
                width: video.videoWidth,
                height: video.videoHeight,
                shown,
                fragments,
                discontinuities: Math.max(0, discontinuities.size - 1),
                seconds: (performance.now() - started) / 1000,
                errors,
            });
        }

        const timer = setTimeout(() => done(false), seconds * 1000);

        video.addEventListener('ended', () => {
            clearTimeout(timer);
            done(true);
        });

        video.addEventListener('error', () => {
            errors.push(`video: ${video.error && video.error.message}`);
        });

        const start = () => {
            video.defaultPlaybackRate = rate;
            video.playbackRate = rate;
            video.play().catch((e) => errors.push(`play: ${e.message}`));
        };

        // plays from the picture on that is shown after a seek

        const begin = () => {

            if (seek === undefined) {
                start();
                return;
            }

            // the first picture of all may be shown before

            const look = (now, frame) => {

                if (Math.abs(frame.mediaTime - seek) > 2) {
                    video.requestVideoFrameCallback(look);
                    return;
                }

                shown = frame.mediaTime;
                start();
            };

            video.requestVideoFrameCallback(look);
            video.currentTime = seek;
        };

        if (mp4) {
            video.addEventListener('loadedmetadata', begin, { once: true });
            video.src = url;
            return;
        }

        if (flv) {
            const player = mpegts.createPlayer({ type: 'flv', url },
                { accurateSeek: true, enableStashBuffer: false });

            player.on(mpegts.Events.ERROR, (type, detail) => {
                errors.push(`mpegts: ${type} ${detail}`);
                clearTimeout(timer);
                done(false);
            });

            video.addEventListener('loadedmetadata', begin, { once: true });
            player.attachMediaElement(video);
            player.load();
            return;
        }

        const hls = new Hls({ maxBufferLength: 60, startPosition: 0 });

        hls.on(Hls.Events.ERROR, (event, data) => {
            errors.push(`hls: ${data.type} ${data.details}`
                + `${data.fatal ? ' fatal' : ''}`
                + `${data.error ? ': ' + data.error.message : ''}`);

            if (data.fatal) {
                clearTimeout(timer);
                done(false);
            }
        });

        hls.on(Hls.Events.FRAG_CHANGED, (event, data) => {
            fragments++;
            discontinuities.add(data.frag.cc);
        });

        // pictures may begin a little after zero, where the first of them is
        // shown; playing before that is a hole to the player, which it jumps
        // over, and then some pictures are decoded twice

        hls.on(Hls.Events.BUFFER_APPENDED, () => {
            const b = video.buffered;

            if (playing || b.length === 0 || b.end(0) - b.start(0) < 4) {
                return;
            }

            playing = true;

            if (video.currentTime < b.start(0)) {
                video.currentTime = b.start(0);
            }

            start();
        });

        hls.loadSource(url);
        hls.attachMedia(video);
    });
}


const { values: opt, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        mp4: { type: 'boolean', default: false },
        flv: { type: 'boolean', default: false },
        seek: { type: 'string' },
        rate: { type: 'string', default: '8' },
        timeout: { type: 'string', default: '60' },
    },
});

if (positionals.length !== 2) {
    console.error('usage: play.mjs DIRECTORY FILE [--mp4 | --flv] [--seek S]'
        + ' [--rate N] [--timeout SECONDS]');
    process.exit(2);
}

const requests = [];
const server = await serve(path.resolve(positionals[0]), requests,
    opt.seek !== undefined);
const base = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
    executablePath: process.env.LR_CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: flags,
});

let result;

try {
    const tab = await browser.newPage();

    await tab.goto(`${base}/.player/`);

    result = await tab.evaluate(play, {
        url: base + '/'
            + positionals[1].split('/').map(encodeURIComponent).join('/'),
        rate: Number(opt.rate),
        seconds: Number(opt.timeout),
        mp4: opt.mp4,
        flv: opt.flv,
        seek: opt.seek === undefined ? undefined : Number(opt.seek),
    });

    result.requests = requests;

} catch (e) {
    result = { ended: false, errors: [String(e)] };

} finally {
    await browser.close();
    server.close();
}

console.log(JSON.stringify(result));
process.exit(result.ended ? 0 : 1);
