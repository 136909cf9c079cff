// Copyright (C) the ngx_live_record authors

// Answers of live_record_status and live_record_metrics on stdin, as JSON:
// { "schema": FILE, "status": [ text, ... ], "metrics": [ text, ... ] }.
// On stdout { "errors": [ ... ], "metrics": [ { "name{label=value,...}":
// number }, ... ], "counters": [ names ] }.  Errors are what ajv says by the
// schema, and what breaks the rules that "promtool check metrics" knows.

import { readFileSync } from 'node:fs';
import Ajv from 'ajv';
import parse from 'parse-prometheus-text-format';

const input = JSON.parse(readFileSync(0, 'utf8'));
const schema = JSON.parse(readFileSync(input.schema, 'utf8'));
const errors = [];

// the schema itself has to be one, and may use no word that ajv ignores

const validate = new Ajv({ strict: true, strictTypes: false,
    allErrors: true }).compile(closed(schema));

for (const text of input.status) {
    if (!validate(JSON.parse(text))) {
        errors.push(...validate.errors.map(e => `status${e.instancePath}: `
            + `${e.message} ${JSON.stringify(e.params)}`));
    }
}

const counters = new Set();
const metrics = input.metrics.map(text => {
    const values = {};

    lint(text);

    for (const family of parse(text)) {
        if (family.type === 'COUNTER') {
            counters.add(family.name);
        }

        for (const m of family.metrics) {
            const labels = Object.entries(m.labels || {})
                .map(([k, v]) => `${k}=${v}`).sort().join(',');
            const name = family.name + (labels ? `{${labels}}` : '');

            if (name in values) {
                errors.push(`${name} is there twice`);
            }

            values[name] = Number(m.value);
        }
    }

    return values;
});

process.stdout.write(JSON.stringify({ errors, metrics,
    counters: [...counters] }));

// a member that the schema does not know is not documented

function closed(s) {
    if (Array.isArray(s)) {
        return s.map(closed);
    }

    if (s === null || typeof s !== 'object') {
        return s;
    }

    const t = Object.fromEntries(Object.entries(s)
        .map(([k, v]) => [k, closed(v)]));

    if (t.type === 'object' && t.properties && !t.additionalProperties) {
        t.additionalProperties = false;
    }

    return t;
}

function lint(text) {
    const seen = new Map();
    let current;

    if (!text.endsWith('\n')) {
        errors.push('metrics: no line feed at the end');
    }

    for (const line of text.split('\n').slice(0, -1)) {
        const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
        const type = /^# TYPE (\S+) (counter|gauge)$/.exec(line);
        const sample = new RegExp('^([a-z_]+)(?:\\{([a-z_]+='
            + '"(?:[^"\\\\]|\\\\[\\\\n"])*"(?:,(?=[a-z]))?)+\\})?'
            + ' -?[0-9]+(?:\\.[0-9]+)?$').exec(line);

        if (help) {
            current = { name: help[1] };

            if (seen.has(current.name)) {
                errors.push(`${current.name}: in two places`);
            }

            seen.set(current.name, current);
            name(current.name);

        } else if (type) {
            if (!current || current.name !== type[1] || current.type) {
                errors.push(`${type[1]}: TYPE without its HELP`);
                continue;
            }

            current.type = type[2];

            if ((type[2] === 'counter') !== /_total$/.test(type[1])) {
                errors.push(`${type[1]}: _total is for counters`);
            }

        } else if (!sample) {
            errors.push(`metrics: ${line}`);

        } else if (!current || !current.type || current.name !== sample[1]) {
            errors.push(`${sample[1]}: not below its HELP and TYPE`);
        }
    }
}

function name(n) {
    if (!/^live_record_[a-z_]+$/.test(n)) {
        errors.push(`${n}: not a name`);
    }

    if (/_(?:count|sum|bucket)$|counter|gauge|histogram|summary/.test(n)) {
        errors.push(`${n}: as of another type`);
    }

    if (/_(?:ms|milliseconds|minutes|hours|kb|mb|kilobytes|secs?|bits)(?:_|$)/
        .test(n)) {
        errors.push(`${n}: not in base units`);
    }
}
