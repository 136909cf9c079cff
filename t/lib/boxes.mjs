// Copyright (C) the ngx_live_record authors
//
// What mp4box.js, a parser that is not ours, finds in an mp4 file, as one
// JSON object:
//
//     node t/lib/boxes.mjs FILE
//
// boxes: a line for each box, with what does not depend on an encoder's
// bytes; tracks: their samples by way of all tables, with the MD5 of each.

import crypto from 'node:crypto';
import fs from 'node:fs';
import { createFile } from 'mp4box';


// of places, of bytes, and of the parser itself
const left_out = new Set([
    'type', 'box_name', 'size', 'hdr_size', 'start', 'original_size', 'data',
    'uuid', 'boxes', 'entries', 'parent', 'traks', 'samples', 'sgpds',
    'sbgps', 'subBoxNames', 'sample_sizes', 'chunk_offsets', 'creation_time',
    'modification_time', 'SPS', 'PPS', 'ext', 'nalu_arrays', 'esd',
    'bufferSizeDB', 'maxBitrate', 'avgBitrate', 'samples_size',
    'samples_duration', 'first_traf_merged', 'sample_lists', 'mdats',
    'stream', 'language', 'sidx', 'matrix', 'psshs',
    'sample_groups_info',
]);

const max_list = 9;


function list_of(value) {
    const list = Array.from(value);

    return list.length <= max_list ? `[${list}]`
        : `[${list.slice(0, max_list)},... ${list.length}]`;
}


function text_of(box) {
    const out = [];

    for (const [name, value] of Object.entries(box)) {

        if (left_out.has(name) || value === undefined || value === ''
            || value instanceof Uint8Array && name !== 'matrix'
            || (value !== null && typeof value === 'object' && value.type))
        {
            continue;
        }

        if (Array.isArray(value) || ArrayBuffer.isView(value)) {
            out.push(`${name}=${list_of(value)}`);

        } else if (typeof value !== 'object') {
            out.push(`${name}=${value}`);
        }
    }

    if (box.type === 'elst') {
        for (const e of box.entries) {
            out.push(`(${e.segment_duration} from ${e.media_time})`);
        }
    }

    if (box.type === 'tkhd' || box.type === 'mvhd') {
        out.push(`matrix=${list_of(box.matrix).replace(/,\.\.\..*/, ']')}`);
    }

    if (box.type === 'hvcC') {
        for (const a of box.nalu_arrays) {
            out.push(`(${a.nalu_type} completeness=${a.completeness}`
                + ` ${a.length})`);
        }
    }

    if (box.type === 'esds') {
        describe(box.esd, out);
    }

    return out.join(' ');
}


function describe(d, out) {
    out.push(`(${d.tag}${d.oti === undefined ? '' : ' oti=' + d.oti}`
        + `${d.streamType === undefined ? '' : ' stream=' + d.streamType}`
        + `${d.tag === 5 ? ' ' + Buffer.from(d.data).toString('hex') : ''})`);

    for (const sub of d.descs || []) {
        describe(sub, out);
    }
}


function walk(boxes, indent, lines) {
    for (const box of boxes) {
        lines.push(`${indent}${box.type} ${text_of(box)}`.trimEnd());

        const inside = box.boxes || (box.entries || [])
            .filter((e) => e && e.type);

        walk(inside, `${indent}  `, lines);
    }
}


const data = fs.readFileSync(process.argv[2]);
const copy = data.buffer.slice(data.byteOffset,
    data.byteOffset + data.length);
const file = createFile();
const result = { boxes: [], tracks: [], errors: [], end: 0 };

file.onError = (module, message) => result.errors.push(message || module);
file.onReady = (info) => { result.info = info; };

copy.fileStart = 0;
file.appendBuffer(copy, true);
file.flush();

walk(file.boxes, '', result.boxes);

for (const box of file.boxes) {
    result.end = box.start + box.size;
}

result.length = data.length;

for (const track of result.info ? result.info.tracks : []) {
    const samples = file.getTrackSamplesInfo(track.id).map((s) => ({
        dts: s.dts,
        cts: s.cts,
        duration: s.duration,
        size: s.size,
        offset: s.offset,
        sync: s.is_sync,
        md5: crypto.createHash('md5')
            .update(data.subarray(s.offset, s.offset + s.size))
            .digest('hex'),
    }));

    result.tracks.push({ type: track.type, timescale: track.timescale,
        samples });
}

delete result.info;

console.log(JSON.stringify(result));
