
/*
 * Copyright (C) the ngx_live_record authors
 *
 * CRC-64/XZ and CRC-64/NVME for the test servers, in two halves of 32 bits;
 * it shares nothing with the C code that it checks.
 */


const POLY = 0xc96c5795d7870f42n;
const NVME = 0x9a6c9329ac4bc9b5n;


function table(poly) {
    const lo = new Int32Array(256);
    const hi = new Int32Array(256);

    for (let i = 0; i < 256; i++) {
        let crc = BigInt(i);

        for (let k = 0; k < 8; k++) {
            crc = (crc & 1n) ? (crc >> 1n) ^ poly : crc >> 1n;
        }

        lo[i] = Number(crc & 0xffffffffn) | 0;
        hi[i] = Number(crc >> 32n) | 0;
    }

    return [lo, hi];
}


const XZ_TABLE = table(POLY);
const NVME_TABLE = table(NVME);


export class Crc64 {
    lo = -1;
    hi = -1;

    constructor(nvme = false) {
        this.table = nvme ? NVME_TABLE : XZ_TABLE;
    }

    update(buf) {
        const [LO, HI] = this.table;
        let lo = this.lo;
        let hi = this.hi;

        for (let i = 0; i < buf.length; i++) {
            const k = (lo ^ buf[i]) & 0xff;

            lo = ((lo >>> 8) | (hi << 24)) ^ LO[k];
            hi = (hi >>> 8) ^ HI[k];
        }

        this.lo = lo;
        this.hi = hi;

        return this;
    }

    digest() {
        return BigInt(~this.hi >>> 0) << 32n | BigInt(~this.lo >>> 0);
    }
}


function mul(a, b) {
    let sum = 0n;

    for (let m = 1n << 63n; m; m >>= 1n) {
        if (a & m) {
            sum ^= b;
        }

        b = (b & 1n) ? (b >> 1n) ^ POLY : b >> 1n;
    }

    return sum;
}


export function combine(crc1, crc2, len2) {
    let shift = 1n << 63n;
    let x = 1n << 55n;

    for (let n = BigInt(len2); n; n >>= 1n) {
        if (n & 1n) {
            shift = mul(shift, x);
        }

        x = mul(x, x);
    }

    return mul(crc1, shift) ^ crc2;
}
