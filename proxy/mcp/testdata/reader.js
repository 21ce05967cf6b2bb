// Reads messages the way a JavaScript server does. Each line of stdin is a
// message in base64; each line of stdout is what it says, or "refused".
const text = s => { let out = '"'; for (let i = 0; i < s.length; i++) out += s.charCodeAt(i).toString(16).padStart(4, '0'); return out; };
const bits = n => { const v = new DataView(new ArrayBuffer(8)); v.setFloat64(0, n === 0 ? 0 : n); return '#' + v.getBigUint64(0).toString(16).padStart(16, '0'); };
const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const plain = v => {
  if (v === undefined) return '-';
  if (v === null) return 'n';
  if (v === true) return 't';
  if (v === false) return 'f';
  if (typeof v === 'number') return bits(v);
  if (typeof v === 'string') return text(v);
  if (Array.isArray(v)) return `[${v.map(plain).join()}]`;
  return `{${Object.keys(v).map(k => `${text(k)}:${plain(v[k])}`).sort(order).join()}}`;
};
const member = (v, k) => (v !== null && typeof v === 'object' && !Array.isArray(v) && Object.hasOwn(v, k) ? v[k] : undefined);
const read = line => {
  try {
    const m = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(line, 'base64')));
    const p = member(m, 'params');
    return [member(m, 'method'), member(p, 'name'), member(p, 'uri'), member(p, 'arguments')].map(plain).join(' ');
  } catch { return 'refused'; }
};
require('node:readline').createInterface({ input: process.stdin }).on('line', line => process.stdout.write(`${read(line)}\n`));
