// The signature of the gateway API as a page computes it: the same rules as diamondpay/lib/signing.py, on the text that was
// typed. Web Crypto has no MD5, so that one stands here (RFC 1321). Nothing is sent anywhere.
"use strict";
{
  const UNSIGNED = new Set(["sign", "sign_type"]);

  // A JSON reader that keeps every number in its digits: JSON.parse would round an integer of 17 digits, and what is signed
  // is the text. Objects become lists of [name, value], so that a name given twice is seen.
  class Reader {
    constructor(text) {
      this.text = text;
      this.at = 0;
    }

    fail(wanted) {
      throw new SyntaxError(`${wanted} expected at character ${this.at + 1}`);
    }

    space() {
      while (this.at < this.text.length && " \t\r\n".includes(this.text[this.at])) this.at += 1;
    }

    take(pattern) {
      pattern.lastIndex = this.at;
      const found = pattern.exec(this.text);
      if (found) this.at += found[0].length;
      return found ? found[0] : null;
    }

    sign(character) {
      this.space();
      if (this.text[this.at] !== character) return false;
      this.at += 1;
      return true;
    }

    string() {
      this.space();
      const raw = this.take(/"(?:[^"\\\u0000-\u001f]|\\.)*"/y);
      if (raw === null) this.fail("a text in double quotes");
      return JSON.parse(raw);
    }

    value() {
      this.space();
      if (this.text[this.at] === "{") return { members: this.members() };
      if (this.sign("[")) return { items: this.list("]", () => this.value()) };
      if (this.text[this.at] === '"') return { text: this.string() };
      const number = this.take(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y);
      if (number !== null) return { number: /^-?[0-9]+$/.test(number) ? BigInt(number).toString() : number };
      const word = this.take(/true|false|null/y);
      if (word === null) this.fail("a value");
      return { word };
    }

    list(end, read) {
      const found = [];
      if (this.sign(end)) return found;
      do found.push(read()); while (this.sign(","));
      if (!this.sign(end)) this.fail(`“,” or “${end}”`);
      return found;
    }

    members() {
      if (!this.sign("{")) this.fail("“{”");
      const found = this.list("}", () => {
        const name = this.string();
        if (!this.sign(":")) this.fail("“:”");
        return [name, this.value()];
      });
      const names = found.map(([name]) => name);
      const twice = names.find((name, position) => names.indexOf(name) !== position);
      if (twice !== undefined) throw new SyntaxError(`“${twice}” is given twice`);
      return found;
    }

    whole() {
      const found = this.members();
      this.space();
      if (this.at < this.text.length) this.fail("the end");
      return found;
    }
  }

  const compact = (value) => {
    if (value.number !== undefined) return value.number;
    if (value.word !== undefined) return value.word;
    if (value.text !== undefined) return JSON.stringify(value.text);
    if (value.items) return `[${value.items.map(compact).join(",")}]`;
    return `{${value.members.map(([name, member]) => `${JSON.stringify(name)}:${compact(member)}`).join(",")}}`;
  };

  const textOf = (value) => {
    if (value.text !== undefined) return value.text;
    if (value.word === "null") return "";
    return compact(value);
  };

  const byName = (one, other) => (one[0] < other[0] ? -1 : one[0] > other[0] ? 1 : 0);

  // What is signed, as sorted [name, text] pairs, and the names that were left out.
  const read = (json) => {
    const members = new Reader(json).whole();
    const pairs = members.map(([name, value]) => [name, textOf(value)]).sort(byName);
    const isKept = ([name, text]) => !UNSIGNED.has(name) && text !== "";
    const kept = pairs.filter(isKept);
    return {
      members,
      kept,
      left: pairs.filter((pair) => !isKept(pair)).map(([name]) => name),
      canonical: kept.map(([name, text]) => `${name}=${text}`).join("&"),
    };
  };

  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

  const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
  const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
  const MIX = [
    [(b, c, d) => (b & c) | (~b & d), (i) => i],
    [(b, c, d) => (d & b) | (~d & c), (i) => (5 * i + 1) % 16],
    [(b, c, d) => b ^ c ^ d, (i) => (3 * i + 5) % 16],
    [(b, c, d) => c ^ (b | ~d), (i) => (7 * i) % 16],
  ];

  const md5 = (text) => {
    const bytes = new TextEncoder().encode(text);
    const padded = new DataView(new ArrayBuffer((((bytes.length + 8) >> 6) + 1) * 64));
    bytes.forEach((byte, i) => padded.setUint8(i, byte));
    padded.setUint8(bytes.length, 0x80);
    padded.setBigUint64(padded.byteLength - 8, BigInt(bytes.length) * 8n, true);
    let state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
    for (let block = 0; block < padded.byteLength; block += 64) {
      let [a, b, c, d] = state;
      for (let i = 0; i < 64; i += 1) {
        const [mix, place] = MIX[i >> 4];
        const shift = SHIFTS[i >> 4][i % 4];
        const sum = (a + mix(b, c, d) + SINES[i] + padded.getInt32(block + place(i) * 4, true)) | 0;
        [a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0];
      }
      state = [(state[0] + a) | 0, (state[1] + b) | 0, (state[2] + c) | 0, (state[3] + d) | 0];
    }
    const out = new DataView(new ArrayBuffer(16));
    state.forEach((word, i) => out.setInt32(i * 4, word, true));
    return hex(new Uint8Array(out.buffer));
  };

  const hmacSha256 = async (key, text) => {
    const encoder = new TextEncoder();
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const made = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
    return hex(new Uint8Array(await crypto.subtle.sign("HMAC", made, encoder.encode(text))));
  };

  const sign = async (canonical, key, signType) =>
    signType === "MD5" ? md5(`${canonical}&${key}`) : hmacSha256(key, canonical);

  window.gatewaySigning = { compact, hmacSha256, md5, read, sign };
}
